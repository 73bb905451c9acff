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
    """

    name: str
    title: str
    log: bool = False
    choices: tuple[str, ...] = ()

    def layout(self) -> dict[str, Any]:
        """The axis for Plotly."""
        if self.choices:
            ticks = {"tickvals": list(range(len(self.choices))), "ticktext": list(self.choices)}
            return {"title": {"text": self.title}, "type": "linear", **ticks}
        # 1e-5 as people type it, where Plotly would write 10µ.
        scale = {"type": "log", "exponentformat": "e"} if self.log else {"type": "linear"}
        return {"title": {"text": self.title}, **scale}

    def text(self, position: float) -> str:
        """What stands at a position, for a hover."""
        if math.isnan(position):
            return "not active"
        return self.choices[int(position)] if self.choices else short(position)


def axis_of(name: str, parameter: Parameter) -> Axis:
    """The axis of a parameter: log where the study file says log, its choices where it has some."""
    if isinstance(parameter, Range):
        return Axis(name=name, title=with_unit(name), log=parameter.log)
    return Axis(name=name, title=with_unit(name), choices=tuple(map(choice, parameter.choices)))


def spans_decades(values: Floats) -> bool:
    """Whether finite values, all positive, lie so far apart that a linear axis would show only the largest."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / finite.min() > 10**DECADES)
