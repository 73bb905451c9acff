"""Parse a study file or a REST body into a StudySpec, complete it, and write it back: one door for all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Tag, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from hpo.errors import SpecError
from hpo.hyperparams import HYPERPARAMETERS, KINDS, check_parameter
from hpo.service.checks import check_spec
from hpo.service.choices import check_choices
from hpo.service.complaints import one_error
from hpo.service.completion import complete
from hpo.service.external_files import check_own_name
from hpo.service.shorthand import long_form, parse_override, read_tree, written_out
from hpo.service.yaml_writer import write_yaml
from hpo.space import Choice, Fixed, Parameter, Range, SearchSpace, Value
from hpo.study import StudySpec

__all__ = [
    "complete",
    "from_json",
    "json_schema",
    "parameters_of",
    "parse",
    "parse_override",
    "parse_parameters",
    "to_json",
    "to_yaml",
]


def _shape(parameter: Any) -> str:
    """Which kind of parameter a mapping describes, by its keys."""
    keys = parameter if isinstance(parameter, dict) else ()
    return "choice" if "choices" in keys else "fixed" if "value" in keys else "range"


_Parameter = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")] | Annotated[Fixed, Tag("fixed")],
    Discriminator(_shape),
]
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class _StudyFile(StudySpec):
    """A StudySpec as it stands in a file: parameters by name, told apart by shape."""

    parameters: dict[str, _Parameter]  # type: ignore[assignment]


_ADAPTER = TypeAdapter(_StudyFile)


def parse(text: str | bytes, *, overrides: Mapping[str, Any] | None = None) -> StudySpec:
    """The study that a YAML or JSON text describes, with dotted overrides (`{"data.source": "digits"}`) merged in.

    Raises SpecError (UnknownName) with the one place to look at first.
    """
    return _built(read_tree(text, overrides or {}))


def from_json(tree: Mapping[str, Any]) -> StudySpec:
    """The study behind `to_json`'s mapping, or any study file already read. Raises SpecError."""
    return _built(written_out(dict(tree), {}))


def parameters_of(spec: Mapping[str, Any]) -> SearchSpace:
    """The search space of `to_json`'s mapping. Reading a study file takes a millisecond: remembered."""
    return _parameters(json.dumps(spec))


@lru_cache(maxsize=128)
def _parameters(text: str) -> SearchSpace:
    return from_json(json.loads(text)).parameters


def parse_parameters(tree: Mapping[str, Any]) -> SearchSpace:
    """The search space that the `parameters` of a study file describe. Raises SpecError."""
    full = written_out({"data": "digits", "parameters": dict(tree)}, {})
    return _space(_validated(full).parameters, full["parameters"], check_parameter)


def _built(tree: dict[str, Any]) -> StudySpec:
    file = _validated(tree)
    check_choices(file)
    values = {field.name: getattr(file, field.name) for field in dataclasses.fields(StudySpec)}
    check = check_own_name if file.external else check_parameter
    values["parameters"] = _space(values["parameters"], tree["parameters"], check)
    if values["objectives"]:
        first, *others = values["objectives"]
        values |= {"objective": first, "objectives": (first, *others) if others else ()}
    spec = StudySpec(**values)
    check_spec(spec)
    return spec


def _validated(tree: dict[str, Any]) -> _StudyFile:
    parameters = tree.get("parameters")
    if isinstance(parameters, dict):
        tree = tree | {"parameters": {name: long_form(value) for name, value in parameters.items()}}
    try:
        return _ADAPTER.validate_json(json.dumps(tree))
    except ValidationError as error:
        raise one_error(error.errors(include_url=False), tree, parameters) from None


def _space(
    parameters: Mapping[str, Parameter],
    written: Mapping[str, Any],
    check: Callable[[str, Parameter], None],
) -> SearchSpace:
    """The search space with types filled in, each parameter checked."""
    typed: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        try:
            if isinstance(parameter, Fixed) and parameter.value is None:
                raise SpecError("needs a value, a list of choices, or {low: …, high: …}")
            typed[name] = _typed(name, parameter)
            check(name, typed[name])
        except SpecError as error:
            raise type(error)(error.detail, field=_place(name, error.field, written[name])) from None
    try:
        return SearchSpace({name: _typed_when(p, typed) for name, p in typed.items()})
    except SpecError as error:
        place = "parameters" if error.field is None else f"parameters.{error.field}"
        raise type(error)(error.detail, field=place) from None


def _place(name: str, field: str | None, written: Any) -> str:
    """The dotted path of an error in a parameter, as the user wrote the parameter."""
    inner = {"choices": "choices", "value": "value"} if isinstance(written, dict) else {}
    if field is None:
        return f"parameters.{name}"
    if field.isdigit() and "choices" in inner and "choices" in written:
        return f"parameters.{name}.choices.{field}"
    return f"parameters.{name}.{field}"


def _typed(name: str, parameter: Parameter) -> Parameter:
    """A range of its hyperparameter's kind; whole numbers of a float hyperparameter as floats."""
    if isinstance(parameter, Range):
        (typed,) = (
            SearchSpace({name: dataclasses.replace(parameter, when={})}).with_types(KINDS).parameters.values()
        )
        return dataclasses.replace(typed, when=parameter.when)
    if name not in HYPERPARAMETERS or HYPERPARAMETERS[name].kind != "float":
        return parameter
    if isinstance(parameter, Choice):
        return dataclasses.replace(parameter, choices=tuple(_as_float(v) for v in parameter.choices))
    return dataclasses.replace(parameter, value=_as_float(parameter.value))


def _typed_when(parameter: Parameter, typed: Mapping[str, Parameter]) -> Parameter:
    """Conditions on a float parameter compare floats, since 0 and 0.0 are two values to a search space."""
    when = {}
    for other, values in parameter.when.items():
        target = typed.get(other)
        whole = isinstance(target, Range) and target.is_int
        floats = other in HYPERPARAMETERS and HYPERPARAMETERS[other].kind == "float" and not whole
        when[other] = tuple(_as_float(v) for v in values) if floats else tuple(values)
    return dataclasses.replace(parameter, when=when)


def _as_float(value: Value) -> Value:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def json_schema() -> dict[str, Any]:
    """The JSON schema of a study file in its long form, for the API's document."""
    schema: dict[str, Any] = _ADAPTER.json_schema()
    keys = schema["properties"]
    several = {"type": "array", "minItems": 1, "items": keys.pop("objectives")["items"]}
    keys["objective"]["anyOf"].append(several)
    return schema


def to_json(spec: StudySpec) -> dict[str, Any]:
    """A study as plain JSON types, without what is not used; `from_json` gives the same study back."""
    tree = _section(spec)
    if spec.objectives:
        tree["objective"] = tree.pop("objectives")
    tree["parameters"] = {name: _parameter(name, p) for name, p in spec.parameters.parameters.items()}
    return tree


def to_yaml(spec: StudySpec) -> str:
    """A study as a study file; `parse` gives the same study back."""
    return write_yaml(to_json(spec))


def _section(record: Any) -> dict[str, Any]:
    """A dataclass as a mapping, without the fields that are not given."""
    tree = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, SearchSpace):
            continue
        plain = _plain(value)
        unused = plain is None or plain is False or plain in ("", [], {})
        if not unused or value != _default(field):
            tree[field.name] = plain
    return tree


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return _section(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _parameter(name: str, parameter: Parameter) -> Any:
    """A parameter in its shortest form."""
    tree = _section(parameter)
    if isinstance(parameter, Fixed):
        return tree if parameter.when else _plain(parameter.value)
    if isinstance(parameter, Choice):
        return tree if parameter.when else tree["choices"]
    if parameter.is_int:
        tree |= {end: int(tree[end]) for end in ("low", "high", "step") if tree.get(end) is not None}
    if parameter.type == ("int" if KINDS.get(name) == "int" else "float"):
        del tree["type"]
    return tree
