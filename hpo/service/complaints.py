"""Turn what pydantic says of a study file into the one sentence that helps most."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.errors import SpecError, suggest
from hpo.hyperparams import HYPERPARAMETERS
from hpo.space import Choice, Fixed, Range
from hpo.study import (
    DataSpec,
    EarlyStopping,
    Limits,
    ObjectiveSpec,
    PrunerSpec,
    SamplerSpec,
    SplitSpec,
    StopSpec,
    StudySpec,
)

SECTIONS: dict[str, type] = {
    "": StudySpec,
    "data": DataSpec,
    "data.split": SplitSpec,
    "objective": ObjectiveSpec,
    "sampler": SamplerSpec,
    "pruner": PrunerSpec,
    "early_stopping": EarlyStopping,
    "stop": StopSpec,
    "limits": Limits,
}
_SHAPES: dict[str, type] = {"range": Range, "choice": Choice, "fixed": Fixed}
_UNION_ARMS = frozenset({"bool", "int", "float", "str"})

_SENTENCES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
}
_HINTS = {
    ("data",): "write data: {source: digits}, or a file's path as source",
    ("data", "source"): "name a built-in set, a file or an uploaded set",
    ("parameters",): "name a search space (parameters: mlp-default) or give a mapping",
    ("early_stopping", "patience"): "write early_stopping: {patience: 10}",
    ("early_stopping",): "write early_stopping: {patience: 10}",
    ("objective", "metric"): "write objective: {metric: accuracy}",
    ("constraints",): 'write constraints: {n_parameters: "<= 200000"}',
}


def keys_of(section: type) -> list[str]:
    """The keys a section of the study file may have."""
    return [field.name for field in dataclasses.fields(section)]


def one_error(errors: Sequence[Any], tree: Mapping[str, Any], written: Any) -> SpecError:
    """The error to show: an unknown key first, else the first of the file.

    errors: pydantic's; tree: what was validated; written: `parameters` as the user wrote them
    """
    unknown = [error for error in errors if error["type"] == "unexpected_keyword_argument"]
    error = (unknown or list(errors))[0]
    loc = tuple(error["loc"])
    if loc[:1] == ("objectives",):
        loc = ("objective", *loc[1:])
    same = [e for e in errors if e["loc"][:-1] == loc[:-1] and e["loc"] and e["loc"][-1] in _UNION_ARMS]
    cause = error.get("ctx", {}).get("error")
    if unknown:
        return SpecError(_unknown_key(loc), field=_path(loc, written))
    if isinstance(cause, SpecError):
        return SpecError(cause.detail, field=_path((*loc, *(cause.field or "").split(".")), written))
    if len(same) > 1:
        kind = (
            " or ".join(_arm(e["loc"][-1]) for e in same)
            if len(same) < 4
            else "text, a number, true or false"
        )
        return SpecError(f"must be {kind}, got {_shown(error['input'])}", field=_path(loc[:-1], written))
    return SpecError(_sentence(error, loc), field=_path(loc, written) or None)


def _arm(name: str) -> str:
    return {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}[name]


def _unknown_key(loc: tuple[Any, ...]) -> str:
    """`no such key`, the nearest key, or the section where it belongs."""
    *place, key = _without_places(loc)
    section = (
        _SHAPES.get(str(place[-1]))
        if place[:1] == ["parameters"]
        else SECTIONS.get(".".join(map(str, place)))
    )
    known = keys_of(section) if section else []
    if place[:1] != ["parameters"]:
        if key in HYPERPARAMETERS and not place:
            return "there is no such key here; hyperparameters stand under parameters"
        for name, other in SECTIONS.items():
            if key in keys_of(other):
                return (
                    f"there is no such key here; it belongs {f'under {name}' if name else 'to the top level'}"
                )
    if near := suggest(key, known):
        return f"there is no such key{near}"
    return f"there is no such key; there are {', '.join(known)}"


def _without_places(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """A location in a list of objectives as it would be with one."""
    return (
        (loc[0], *loc[2:]) if loc[:1] == ("objective",) and len(loc) > 2 and isinstance(loc[1], int) else loc
    )


def _sentence(error: Mapping[str, Any], loc: tuple[Any, ...]) -> str:
    kind, given = error["type"], _shown(error["input"])
    if kind == "missing":
        hint = _HINTS.get(_without_places(loc))
        if hint is None and loc[:1] == ("parameters",):
            hint = "write {low: …, high: …}, a list of choices, or a value"
        return f"is needed; {hint}" if hint else "is needed"
    if kind in ("enum", "literal_error"):
        return f"must be {error['ctx']['expected']}, got {given}"
    if kind in _SENTENCES:
        return f"{_SENTENCES[kind]}, got {given}{_cure(kind, error['input'], loc)}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, got {given}"


def _cure(kind: str, given: Any, loc: tuple[Any, ...]) -> str:
    """How to write what was probably meant; nothing when that is not clear."""
    scalar = isinstance(given, str | int | float)
    if kind == "dataclass_type" and loc in _HINTS:
        return f"; {_HINTS[loc]}"
    if loc[:1] == ("constraints",):
        return f"; {_HINTS[loc[:1]]}"
    if kind == "string_type" and scalar:
        return f'; put it in quotes: "{json.dumps(given)}"'
    if kind in ("tuple_type", "list_type") and scalar:
        return f"; write [{given}]"
    if kind.startswith("int_") and isinstance(given, float) and given.is_integer():
        return f"; write {given:.0f}"
    if kind in ("int_type", "float_type") and isinstance(given, str) and given.lstrip("-").isdigit():
        return "; leave the quotes out"
    return ""


def _shown(value: Any) -> str:
    """A value as the user wrote it, short."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _path(loc: Sequence[Any], written: Any) -> str:
    """pydantic's location as the user would say it: no tags, no keys the user did not write."""
    parts = [str(part) for part in loc if part != ""]
    if len(parts) >= 3 and parts[0] == "parameters" and parts[2] in _SHAPES:
        long = isinstance(written, dict) and isinstance(written.get(parts[1]), dict)
        parts = parts[:2] + (parts[3:] if long or parts[3:4] not in (["choices"], ["value"]) else parts[4:])
    if parts[:1] == ["enqueue"] and len(parts) > 1:  # a list of settings: enqueue[0].learning_rate
        parts = [f"enqueue[{parts[1]}]", *parts[2:]]
    return ".".join(parts)
