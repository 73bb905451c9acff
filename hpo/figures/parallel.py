"""Parallel coordinates: a line per trial through its parameters to its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from hpo.figures.axes import Axis, axis_of
from hpo.figures.columns import Floats, Ints, Objective, Trials
from hpo.figures.reasons import why_empty
from hpo.figures.sampling import ranks
from hpo.figures.theme import SCALE, blank, framed
from hpo.figures.words import label, of_all, short

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
    """The places of the trials to draw; of no other are the params looked at."""
    return ranks(np.where(trials.counted(), trials.first, np.nan), MOST_LINES)


def data(trials: Trials) -> Parallel:
    """At most MOST_LINES of the complete trials, evenly by value, through the parameters that they all have.

    A line needs a place on every axis: parameters that are not active in each trial drawn are left out, and a
    parameter with one value only says nothing.
    """
    counted = np.where(trials.counted(), trials.first, np.nan)
    kept = places(trials)
    kept = kept[np.argsort(-trials.objective.direction.sign * counted[kept], kind="stable")]
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


def draw(record: Parallel) -> go.Figure:
    """Plotly's parallel coordinates; it has no hover, so the trial's number is an axis of its own."""
    if record.empty:
        return blank(record.title, record.empty)
    dimensions: list[dict[str, Any]] = [
        {"label": label(record.objective), "values": record.values},
        *(_dimension(axis, places) for axis, places in zip(record.axes, record.places, strict=True)),
        {"label": "trial number", "values": record.numbers},
    ]
    line = {
        "color": record.values,
        "colorscale": SCALE,
        "reversescale": record.objective.direction.sign > 0,
        "showscale": True,
        "colorbar": {"title": {"text": label(record.objective)}},
    }
    return framed(
        record.title, go.Parcoords(dimensions=dimensions, line=line, labelangle=-15), margin={"t": 120}
    )


def _dimension(axis: Axis, places: Floats) -> dict[str, Any]:
    """An axis with its ticks; decades stand at their logarithms, which Plotly cannot do by itself."""
    ticks: dict[float, str] = {}
    if axis.choices:
        ticks = {float(place): text for place, text in enumerate(axis.choices)}
    elif axis.log:
        ends = (float(places.min()), float(places.max()))
        whole = np.arange(np.ceil(ends[0]), np.floor(ends[1]) + 1)
        ticks = {place: short(10.0**place) for place in (map(float, whole) if len(whole) > 1 else ends)}
    shown = {"tickvals": list(ticks), "ticktext": list(ticks.values())} if ticks else {}
    return {"label": axis.title, "values": places, **shown}
