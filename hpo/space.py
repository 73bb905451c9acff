"""The search space: parameters with their ranges or choices, and the conditions under which they count."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from hpo.errors import SpecError

Value = bool | int | float | str | None
Params = Mapping[str, Value]
When = Mapping[str, tuple[Value, ...]]

MAX_CHOICES = 1_000
MAX_PARAMETERS = 200
MAX_POINTS = 1_000_000
MAX_TEXT = 16_384  # characters in one setting: every trial keeps its own, and a page has a thousand trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers between low and high, both included; with log, every decade is equally likely.

    step: only low, low + step, … ; num: that many points when a grid asks for them, evenly spaced
    (log-spaced with log). type: float or int; left out, the hyperparameter's own kind.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    num: int | None = None
    type: Literal["float", "int"] | None = None
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.log and self.low <= 0:
            raise SpecError(f"must be > 0 when log is true, got {self.low:g}", field="low")
        if self.high < self.low:
            raise SpecError(f"must be >= low ({self.low:g}), got {self.high:g}", field="high")
        if self.step is not None and self.step <= 0:
            raise SpecError(f"must be > 0, got {self.step:g}", field="step")
        if self.step is not None and self.log:
            raise SpecError("cannot stand beside log: true; use num for a grid", field="step")
        if self.num is not None and self.step is not None:
            raise SpecError("cannot stand beside step; give one of them", field="num")
        if self.num is not None and not 1 <= self.num <= MAX_POINTS:
            raise SpecError(f"must be between 1 and {MAX_POINTS}, got {self.num}", field="num")
        if not math.isfinite(self.high - self.low):
            raise SpecError(f"is too far from low ({self.low:g}), got {self.high:g}", field="high")
        if self.step is not None and (self.high - self.low) / self.step > 1e15:
            raise SpecError(f"is too small for so wide a range, got {self.step:g}", field="step")
        if self.type == "int":
            for name, number in (("low", self.low), ("high", self.high), ("step", self.step)):
                if number is not None and not float(number).is_integer():
                    raise SpecError(f"must be a whole number, got {number:g}", field=name)

    @property
    def is_int(self) -> bool:
        """Whether the values are whole numbers."""
        return self.type == "int"

    def n_points(self) -> int | None:
        """How many points a grid takes from the range; None when it has no end of them."""
        if self.low == self.high:
            return 1
        if self.num is not None:
            return len(self.points())
        if self.step is not None:
            return self._n_steps(self.step)
        return int(self.high - self.low) + 1 if self.is_int else None

    def points(self) -> Sequence[int | float]:
        """The points a grid takes, ascending. Raises SpecError when neither num nor step is given."""
        n = self.num
        if self.low == self.high:
            return [int(self.low) if self.is_int else float(self.low)]
        if n is None:
            step = self.step or (1 if self.is_int else None)
            if step is None:
                raise SpecError("a grid needs num or step on a float range", field="num")
            if self.is_int:
                return range(int(self.low), int(self.high) + 1, int(step))
            return [self._step_to(i, step) for i in range(self._n_steps(step))]
        if self.is_int:
            return sorted({round(p) for p in _spaced(self.low, self.high, n, self.log)})
        return list(_spaced(self.low, self.high, n, self.log))

    def _n_steps(self, step: float) -> int:
        """How many of low, low + step, … there are; counted in decimals, so 0.3 is three steps of 0.1."""
        low, high, width = Decimal(str(self.low)), Decimal(str(self.high)), Decimal(str(step))
        return int((high - low) // width) + 1

    def _step_to(self, place: int, step: float) -> float:
        """low + place * step as a person would write it: 0.3, not 0.30000000000000004."""
        return float(Decimal(str(self.low)) + place * Decimal(str(step)))

    def _last_step(self, step: float) -> float:
        """The high that Optuna keeps of a stepped range, in its own arithmetic."""
        low, width = Decimal(str(self.low)), Decimal(str(step))
        reach = Decimal(str(self.high)) - low
        return self.high if reach % width == 0 else float(reach // width * width + low)

    def contains(self, value: Value) -> bool:
        """Whether a value lies in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and not (self.is_int and value != int(value))

    def internal(self, value: Value) -> float:
        """The number Optuna's table keeps for a value."""
        return float(value)  # type: ignore[arg-type]

    def external(self, internal: float) -> Value:
        """The value behind a number of Optuna's table."""
        return int(internal) if self.is_int else internal

    def distribution_json(self) -> str:
        """Optuna's distribution of this range as its storage writes it: high lowered to the last step."""
        if self.is_int:
            attributes: dict[str, Any] = {
                "log": self.log,
                "step": int(self.step or 1),
                "low": int(self.low),
                "high": int(self.high) - (int(self.high) - int(self.low)) % int(self.step or 1),
            }
            return json.dumps({"name": "IntDistribution", "attributes": attributes})
        high = self.high if self.step is None else self._last_step(self.step)
        attributes = {
            "step": self.step,
            "low": float(self.low),
            "high": float(high),
            "log": self.log,
        }
        return json.dumps({"name": "FloatDistribution", "attributes": attributes})


def _spaced(low: float, high: float, n: int, log: bool) -> Iterator[float]:
    """n numbers from low to high, both ends exact."""
    if n == 1:
        yield low
        return
    for i in range(n):
        if i == 0 or i == n - 1:
            yield float(low if i == 0 else high)
        elif log:
            yield math.exp(math.log(low) + (math.log(high) - math.log(low)) * i / (n - 1))
        else:
            yield low + (high - low) * i / (n - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a list, in no order."""

    choices: tuple[Value, ...]
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.choices:
            raise SpecError("needs at least one choice", field="choices")
        if len(self.choices) > MAX_CHOICES:
            raise SpecError(f"at most {MAX_CHOICES} choices, got {len(self.choices)}")
        seen: set[tuple[type, Value]] = set()
        for choice in self.choices:
            if (type(choice), choice) in seen:
                raise SpecError(f"{choice!r} stands in the list twice; drop one")
            seen.add((type(choice), choice))

    def n_points(self) -> int:
        """How many points a grid takes."""
        return len(self.choices)

    def points(self) -> Sequence[Value]:
        """The choices as they stand."""
        return self.choices

    def contains(self, value: Value) -> bool:
        """Whether a value is one of the choices."""
        return any(type(c) is type(value) and c == value for c in self.choices)

    def internal(self, value: Value) -> float:
        """The number Optuna's table keeps: the place in the list."""
        for place, choice in enumerate(self.choices):
            if type(choice) is type(value) and choice == value:
                return float(place)
        raise SpecError(f"{value!r} is not one of the choices")

    def external(self, internal: float) -> Value:
        """The choice at a place."""
        return self.choices[int(internal)]

    def distribution_json(self) -> str:
        """Optuna's distribution of these choices as its storage writes it."""
        return json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": list(self.choices)}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A value that every trial has."""

    value: Value
    when: When = field(default_factory=dict)

    def contains(self, value: Value) -> bool:
        """Whether a value is the fixed one."""
        return type(value) is type(self.value) and value == self.value


def _longest(parameter: Range | Choice | Fixed) -> int:
    """The characters of the longest text that a parameter may be; none of a number."""
    if isinstance(parameter, Range):
        return 0
    values = parameter.choices if isinstance(parameter, Choice) else (parameter.value,)
    return max(len(value) if isinstance(value, str) else 0 for value in values)


Parameter = Range | Choice | Fixed
Searched = Range | Choice


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Named parameters, in the order of the study file."""

    parameters: Mapping[str, Parameter]

    def __post_init__(self) -> None:
        if len(self.parameters) > MAX_PARAMETERS:
            raise SpecError(f"at most {MAX_PARAMETERS} parameters, got {len(self.parameters)}")
        self._check_length()
        for name, parameter in self.parameters.items():
            for other in parameter.when:
                self._check_condition(name, other, parameter.when[other])

    def _check_length(self) -> None:
        longest = {name: _longest(parameter) for name, parameter in self.parameters.items()}
        if sum(longest.values()) > MAX_TEXT:
            raise SpecError(
                f"the texts of one setting have at most {MAX_TEXT:,} characters together, here up to "
                f"{sum(longest.values()):,}; give long ones short names",
                field=max(longest, key=longest.__getitem__),
            )

    def _check_condition(self, name: str, other: str, values: tuple[Value, ...]) -> None:
        place = f"{name}.when.{other}"
        if other not in self.parameters:
            raise SpecError("no parameter of that name stands in the search space", field=place)
        if not values:
            raise SpecError("needs at least one value", field=place)
        for value in values:
            if not self.parameters[other].contains(value):
                raise SpecError(f"{other} is never {value!r}", field=place)
        seen, todo = set[str](), [other]
        while todo:
            current = todo.pop()
            if current == name:
                raise SpecError(f"{name} depends on itself", field=place)
            if (
                current in seen or current not in self.parameters
            ):  # two ways lead there; or its own check tells
                continue
            seen.add(current)
            todo.extend(self.parameters[current].when)

    @property
    def searched(self) -> dict[str, Searched]:
        """The parameters whose value is searched."""
        return {n: p for n, p in self.parameters.items() if not isinstance(p, Fixed)}

    @property
    def fixed(self) -> dict[str, Value]:
        """The values every trial has (where their condition holds)."""
        return {n: p.value for n, p in self.parameters.items() if isinstance(p, Fixed)}

    def is_active(self, name: str, params: Params) -> bool:
        """Whether a parameter counts, given the values of those it depends on (inactive ones absent)."""
        when = self.parameters[name].when
        return all(
            other in params and any(type(v) is type(params[other]) and v == params[other] for v in values)
            for other, values in when.items()
        )

    def active(self, params: Params, names: Sequence[str] | None = None) -> dict[str, Value]:
        """The searched values and those fixed ones whose condition holds. names: `in_order()`, if at hand."""
        values: dict[str, Value] = {}
        for name in names or self.in_order():
            parameter = self.parameters[name]
            if name in params:
                values[name] = params[name]
            elif isinstance(parameter, Fixed) and self.is_active(name, values):
                values[name] = parameter.value
        return values

    def in_order(self) -> list[str]:
        """The names, each after those its condition names."""
        done: dict[str, None] = {}

        def visit(name: str) -> None:
            for other in self.parameters[name].when:
                visit(other)
            done.setdefault(name)

        for name in self.parameters:
            visit(name)
        return list(done)

    def with_types(self, kinds: Mapping[str, str]) -> SearchSpace:
        """The same space with each untyped range given its hyperparameter's kind (float or int)."""
        return SearchSpace(
            {
                name: replace(p, type="int" if kinds.get(name) == "int" else "float")
                if isinstance(p, Range) and p.type is None
                else p
                for name, p in self.parameters.items()
            }
        )
