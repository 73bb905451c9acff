"""A study file's short forms written out, and `--set KEY=VALUE` merged in, before anything is checked."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hpo.errors import SpecError
from hpo.service.plain_text import check_plain, read_plain
from hpo.service.space_files import read

# A section that may be written as the one value that matters in it.
_MAIN_KEY = {"data": "source", "objective": "metric", "sampler": "name", "pruner": "name"}
_MAY_BE_NONE = ("early_stopping", "stop")


def parse_override(
    text: str, *, example: str = "parameters.dropout=0.5", field: str = "--set"
) -> tuple[str, Any]:
    """Key and value of KEY=VALUE; the value is read as YAML, so numbers, lists and {…} work.

    >>> parse_override("parameters.dropout=0.5"), parse_override("parameters.optimizer=[sgd, adam]")
    (('parameters.dropout', 0.5), ('parameters.optimizer', ['sgd', 'adam']))
    """
    key, sign, value = text.partition("=")
    if not sign or not all(part.strip() for part in key.split(".")):
        raise SpecError(f"must be KEY=VALUE like {example}, got {text!r}", field=field)
    try:
        return key.strip(), read_plain(value)
    except SpecError as error:
        raise SpecError(error.detail, field=key.strip()) from None


def read_tree(text: str | bytes, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of a study file's text, written out; nothing of it is checked yet. Raises SpecError."""
    return written_out(read_plain(text), overrides)


def written_out(tree: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a study file's tree, overrides merged in, sections and parameters in their long form.

    Raises SpecError.
    """
    tree = {} if tree is None else copy.deepcopy(tree)
    if not isinstance(tree, dict):
        raise SpecError("a study file is a mapping: data: …, parameters: …")
    if "objectives" in tree or "objectives" in overrides:
        raise SpecError(
            "there is no such key; several objectives are a list under objective", field="objectives"
        )
    _write_out(tree)
    for key, value in overrides.items():
        _set(tree, key, copy.deepcopy(value))
        _write_out(tree)
    check_plain(tree)
    return tree


def _write_out(tree: dict[str, Any]) -> None:
    """Make mappings of sections that are given as one value."""
    _write_out_objectives(tree)
    for section, key in _MAIN_KEY.items():
        if isinstance(tree.get(section), str):
            tree[section] = {key: tree[section]}
        elif section in tree and tree[section] is None:
            del tree[section]
    for section in _MAY_BE_NONE:
        if section in tree and tree[section] in (None, "none", {}):
            del tree[section]
    if isinstance(tree.get("parameters"), str):
        tree["parameters"] = _named(tree["parameters"])


def _write_out_objectives(tree: dict[str, Any]) -> None:
    """Several objectives stand under a key of their own once the file is read; one given later replaces them."""
    written = tree.get("objective")
    if isinstance(written, list):
        if not written:
            raise SpecError("needs at least one metric; write objective: accuracy", field="objective")
        del tree["objective"]
        tree["objectives"] = [{"metric": one} if isinstance(one, str) else one for one in written]
    elif written is not None:
        tree.pop("objectives", None)


def _named(name: str) -> dict[str, Any]:
    try:
        return read(name)[1]
    except SpecError as error:
        raise type(error)(error.detail, field="parameters") from None


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    place = tree
    for depth, section in enumerate(sections):
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SpecError(
                f"{'.'.join(sections[: depth + 1])} is not a mapping, so it has no {last}", field=key
            )
        place = inner
    place[last] = value


def long_form(parameter: Any) -> Any:
    """A parameter as a mapping: a list is choices, a bare value fixed.

    >>> long_form(["sgd", "adam"]), long_form(2)
    ({'choices': ['sgd', 'adam']}, {'value': 2})
    """
    if isinstance(parameter, dict):
        return parameter
    return {"choices": parameter} if isinstance(parameter, list) else {"value": parameter}
