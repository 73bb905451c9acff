"""Parallel coordinates: a line per trial through its parameters to its value; `parallel_drawing` draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.figures.axes import Axis, axis_of
from hpo.figures.columns import Floats, Ints, Objective, Trials
from hpo.figures.reasons import why_empty
from hpo.figures.sampling import best_place, ranks
from hpo.figures.words import of_all

MOST_LINES = 500
MOST_AXES = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parallel:
    """Lines through axes.

    numbers, values: [p], worst first, so that the best is drawn on top; places: one [p] for each of axes: the
    parameter's value (its logarithm to base 10 on a log axis, the choice's place on one of choices)
    """

    title: str
    empty: str
    objective: Objective
    numbers: Ints
    values: Floats
    axes: tuple[Axis, ...]
    places: tuple[Floats, ...]


def places(trials: Trials) -> Ints:
    """The places of the trials to draw, the best among them; of no other are the params looked at."""
    counted = np.where(trials.counted(), trials.first, np.nan)
    best = best_place(counted, trials.objective.direction.sign)
    return ranks(counted, MOST_LINES, keep=[] if best is None else [best])


def data(trials: Trials) -> Parallel:
    """At most MOST_LINES of the complete trials, evenly by value, through the parameters that they all have.

    A line needs a place on every axis: parameters that are not active in each trial drawn are left out, and a
    parameter with one value only says nothing.
    """
    counted = np.where(trials.counted(), trials.first, np.nan)
    kept = places(trials)
    # Of equals the lowest number is the best trial, and comes last.
    kept = kept[np.lexsort((-trials.numbers[kept], -trials.objective.direction.sign * counted[kept]))]
    common = [name for name in trials.parameters if np.isfinite(trials.params[name][kept]).all()]
    axes = [axis_of(name, trials.parameters[name]) for name in common][:MOST_AXES]
    columns = (trials.params[axis.name][kept] for axis in axes)
    empty = why_empty(trials)
    return Parallel(
        title="Parallel coordinates" + of_all(len(kept), int(np.isfinite(counted).sum())),
        empty=empty or ("" if axes else "No parameter is active in every trial."),
        objective=trials.objective,
        numbers=trials.numbers[kept],
        values=counted[kept],
        axes=tuple(axes),
        places=tuple(
            np.log10(column) if axis.log else column for axis, column in zip(axes, columns, strict=True)
        ),
    )
