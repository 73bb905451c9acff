"""Settings that a user gives for a trial: checked against the search space, values made of its kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeGuard

from hpo.errors import SpecError, UnknownName, suggest
from hpo.space import Choice, Fixed, Parameter, Range, SearchSpace, Value
from hpo.study import StudySpec

Setting = Mapping[str, Value]

_NEAR = 1e-8  # of a step: as near as Optuna takes for a point of a stepped range


def check_enqueue(spec: StudySpec) -> None:
    """Raises SpecError for the first setting under `enqueue` that no trial could have."""
    settings_of(spec)


def settings_of(spec: StudySpec) -> tuple[dict[str, Value], ...]:
    """The settings under `enqueue`, as they are enqueued. Raises SpecError with its place, `enqueue[0].l2`."""
    return tuple(
        setting_of(spec.parameters, setting, place=f"enqueue[{n}].") for n, setting in enumerate(spec.enqueue)
    )


def setting_of(space: SearchSpace, given: Setting, *, place: str = "") -> dict[str, Value]:
    """The searched values of a setting; parameters may be left out, they are drawn later.

    place: what stands before a parameter's name in errors. Raises SpecError, UnknownName.
    """
    for name in given:
        if name not in space.parameters:
            hint = suggest(name, space.parameters) or f"; there are {', '.join(space.searched) or 'none'}"
            raise UnknownName(f"the study has no parameter {name!r}{hint}", field=f"{place}{name}")
    values = {}
    for name, value in given.items():
        try:
            values[name] = _fitted(space.parameters[name], value)
        except SpecError as error:
            raise SpecError(error.detail, field=f"{place}{name}") from None
    _check_active(space, values, place)
    return {name: value for name, value in values.items() if name in space.searched}


def _fitted(parameter: Parameter, value: Value) -> Value:
    """The value as the parameter has it: 1 for 1.0 where numbers are whole. Raises SpecError."""
    if isinstance(parameter, Range):
        return _in_range(parameter, value)
    known = parameter.choices if isinstance(parameter, Choice) else (parameter.value,)
    exact = [choice for choice in known if type(choice) is type(value) and choice == value]
    alike = exact or [
        choice for choice in known if _is_number(choice) and _is_number(value) and choice == value
    ]
    if alike:
        return alike[0]
    if isinstance(parameter, Fixed):
        raise SpecError(f"is {_shown(parameter.value)} in every trial of the study, got {_shown(value)}")
    raise SpecError(f"must be one of {', '.join(map(_shown, known))}, got {_shown(value)}")


def _in_range(parameter: Range, value: Value) -> Value:
    if not _is_number(value):
        raise SpecError(f"must be a number, got {_shown(value)}")
    if not parameter.low <= value <= parameter.high:
        raise SpecError(f"must be between {parameter.low:g} and {parameter.high:g}, got {value:g}")
    if parameter.is_int and not float(value).is_integer():
        raise SpecError(f"must be a whole number, got {value:g}")
    if parameter.step is not None:
        steps = (value - parameter.low) / parameter.step
        if abs(steps - round(steps)) > _NEAR:
            raise SpecError(
                f"must be {parameter.low:g} and a multiple of the step {parameter.step:g}, got {value:g}"
            )
    return int(value) if parameter.is_int else float(value)


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Value) -> str:
    """A value as a study file has it."""
    return f"{value:g}" if _is_number(value) else json.dumps(value, ensure_ascii=False).strip('"')


def _check_active(space: SearchSpace, values: Setting, place: str) -> None:
    """Raises SpecError unless every value counts, whatever is drawn for what is left out."""
    known: dict[str, Value] = {}
    for name in space.in_order():
        if space.is_active(name, known):
            if name in values or name in space.fixed:
                known[name] = values.get(name, space.fixed.get(name))
            continue
        if name in values:
            raise SpecError(_inactive(space, name, known), field=f"{place}{name}")


def _inactive(space: SearchSpace, name: str, known: Setting) -> str:
    """Why a value does not count, and what to do."""
    for other, wanted in space.parameters[name].when.items():
        words = " or ".join(map(_shown, wanted))
        if other not in known:
            return f"counts only where {other} is {words}; give {other} too"
        if not any(type(value) is type(known[other]) and value == known[other] for value in wanted):
            return (
                f"counts only where {other} is {words}, and here it is {_shown(known[other])}; leave it out"
            )
    return "does not count here; leave it out"
