"""A parameter as an axis: linear, in decades, or a tick for each choice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.figures.columns import Floats, Parameter
from hpo.figures.words import choice, short, with_unit
from hpo.space import Range

DECADES = 3  # from so many on, values that are all positive are drawn in decades


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How one parameter, or any column, is laid out.

    title: ready to be drawn; choices: their texts, drawn at 0, 1, …; () for numbers
    decades: as many as a log axis is known to span
    """

    name: str
    title: str
    log: bool = False
    choices: tuple[str, ...] = ()
    decades: float = 0.0

    def layout(self) -> dict[str, Any]:
        """The axis for Plotly."""
        if self.choices:
            ticks = {"tickvals": list(range(len(self.choices))), "ticktext": list(self.choices)}
            return {"title": {"text": self.title}, "type": "linear", **ticks}
        if not self.log:
            return {"title": {"text": self.title}, "type": "linear"}
        # Of many decades each has a tick of its own, and twos and fives between would stand upon one another.
        ticks = {"dtick": 1} if self.decades >= DECADES else {}
        # 1e-5 as people type it, where Plotly would write 10µ.
        return {"title": {"text": self.title}, "type": "log", "exponentformat": "e", **ticks}

    def text(self, position: float) -> str:
        """What stands at a position, for a hover."""
        if math.isnan(position):
            return "not active"
        return self.choices[int(position)] if self.choices else short(position)


def axis_of(name: str, parameter: Parameter) -> Axis:
    """The axis of a parameter: log where the study file says log, its choices where it has some."""
    if isinstance(parameter, Range):
        decades = math.log10(parameter.high / parameter.low) if parameter.log else 0.0
        return Axis(name=name, title=with_unit(name), log=parameter.log, decades=decades)
    return Axis(name=name, title=with_unit(name), choices=tuple(map(choice, parameter.choices)))


def spans_decades(values: Floats) -> bool:
    """Whether finite values, all positive, lie so far apart that a linear axis would show only the largest."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / finite.min() > 10**DECADES)
