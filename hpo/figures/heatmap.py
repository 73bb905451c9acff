"""Two parameters as the sides of a table, learning rate and regularisation first: the best value of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from hpo.figures.axes import Axis, axis_of
from hpo.figures.columns import Floats, Ints, Objective, Parameter, Trials
from hpo.figures.reasons import why_empty
from hpo.figures.theme import SCALE, blank, framed
from hpo.figures.words import label
from hpo.space import Choice

# The sides that the course looks at; the first that is searched is taken, else any other parameter.
ACROSS = ("learning_rate",)
UP = ("l2", "weight_decay", "l1", "dropout")
CELLS = 12  # of a side, where a parameter has more values than that


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeatMap:
    """The cells of a table, h up and w across.

    x_edges: [w + 1], y_edges: [h + 1], ascending; on an axis of choices -0.5, 0.5, …
    values: [h, w], the best of a cell, NaN where no trial fell; numbers: [h, w], the trial with it, -1 where
    none; counts: [h, w], trials in the cell
    """

    title: str
    empty: str
    objective: Objective
    x: Axis
    y: Axis
    x_edges: Floats
    y_edges: Floats
    values: Floats
    numbers: Ints
    counts: Ints


def data(trials: Trials, x: str | None = None, y: str | None = None) -> HeatMap:
    """The best value per cell over the complete trials in which both parameters are active.

    x, y: names of two searched parameters; left out, those of the course, else the first that there are.
    Raises KeyError for a name that is not searched.
    """
    names = sides(list(trials.parameters), x, y)
    if names is None:
        return _none(trials, why_empty(trials) or "A heat map needs two parameters that are searched.")
    counted = trials.counted() & np.isfinite(trials.params[names[0]]) & np.isfinite(trials.params[names[1]])
    if not counted.any():
        return _none(trials, why_empty(trials) or "No complete trial has both parameters.")
    across, up = (trials.params[name][counted] for name in names)
    x_edges, y_edges = edges(across, trials.parameters[names[0]]), edges(up, trials.parameters[names[1]])
    return HeatMap(
        title="Heat map: best value per cell",
        empty="",
        objective=trials.objective,
        x=axis_of(names[0], trials.parameters[names[0]]),
        y=axis_of(names[1], trials.parameters[names[1]]),
        x_edges=x_edges,
        y_edges=y_edges,
        **_cells(
            _cell(up, y_edges), _cell(across, x_edges), (len(y_edges) - 1, len(x_edges) - 1),
            trials.first[counted], trials.numbers[counted], trials.objective.direction.sign,
        ),
    )  # fmt: skip


def edges(values: Floats, parameter: Parameter) -> Floats:
    """The edges of the cells of a side: one per choice or per distinct value where these are few, else CELLS.

    values: [p], at least one; CELLS cells are of equal width, in decades where the parameter is log, from the
    lowest to the highest value (a sampler may have gone beyond the range that was written).
    """
    if isinstance(parameter, Choice):
        return np.arange(len(parameter.choices) + 1, dtype=np.float64) - np.float64(0.5)
    places = np.log10(values) if parameter.log else values
    distinct = np.unique(places)
    if len(distinct) == 1:
        found = np.array([distinct[0] - 0.5, distinct[0] + 0.5])
    elif len(distinct) <= CELLS:
        middles = (distinct[1:] + distinct[:-1]) / 2
        found = np.concatenate([[2 * distinct[0] - middles[0]], middles, [2 * distinct[-1] - middles[-1]]])
    else:
        found = np.linspace(distinct[0], distinct[-1], CELLS + 1)
    return np.asarray(10.0**found if parameter.log else found, dtype=np.float64)


def _cell(values: Floats, edges: Floats) -> Ints:
    """The cell of each value; one on an inner edge belongs to the cell above, one on the last to the last."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2).astype(np.int64)


def _cells(
    rows: Ints, columns: Ints, shape: tuple[int, int], values: Floats, numbers: Ints, sign: int
) -> dict[str, Any]:
    """values, numbers and counts of the table. The worst are written first and the best over them."""
    best = np.full(shape, np.nan)
    whose = np.full(shape, -1, dtype=np.int64)
    counts = np.zeros(shape, dtype=np.int64)
    order = np.lexsort((-numbers, -sign * values))  # of equals the lowest number comes last
    best[rows[order], columns[order]] = values[order]
    whose[rows[order], columns[order]] = numbers[order]
    np.add.at(counts, (rows, columns), 1)
    return {"values": best, "numbers": whose, "counts": counts}


def sides(searched: Sequence[str], x: str | None, y: str | None) -> tuple[str, str] | None:
    """The parameters across and up; None when there are no two. Raises KeyError for a name that is not searched."""
    for name in (x, y):
        if name is not None and name not in searched:
            raise KeyError(name)
    one = x or next((name for name in (*ACROSS, *searched) if name in searched and name != y), None)
    other = y or next((name for name in (*UP, *searched) if name in searched and name != one), None)
    return None if one is None or other is None else (one, other)


def _none(trials: Trials, why: str) -> HeatMap:
    nothing, axis = np.empty(0), Axis(name="", title="")
    whole = np.empty((0, 0), dtype=np.int64)
    return HeatMap(
        title="Heat map: best value per cell", empty=why, objective=trials.objective, x=axis, y=axis,
        x_edges=nothing, y_edges=nothing, values=np.empty((0, 0)), numbers=whole, counts=whole,
    )  # fmt: skip


def draw(record: HeatMap) -> go.Figure:
    """Cells coloured from worst to best; those with no trial stay empty."""
    if record.empty:
        return blank(record.title, record.empty)
    cells = go.Heatmap(
        x=record.x_edges, y=record.y_edges, z=record.values, colorscale=SCALE, hoverongaps=False,
        reversescale=record.objective.direction.sign > 0,
        customdata=np.dstack([record.numbers, record.counts]),
        colorbar={"title": {"text": label(record.objective)}},
        hovertemplate="best: trial %{customdata[0]}, %{z:.4g}<br>trials here: %{customdata[1]}<extra></extra>",
    )  # fmt: skip
    return framed(record.title, cells, xaxis=record.x.layout(), yaxis=record.y.layout())
