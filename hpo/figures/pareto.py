"""The Pareto front: trials that no other beats in one objective and equals in the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from hpo.figures.axes import spans_decades
from hpo.figures.columns import Bools, Floats, Ints, Objective, Trials
from hpo.figures.reasons import why_empty
from hpo.figures.sampling import MOST, ranks
from hpo.figures.theme import GREY, VERMILION, blank, framed
from hpo.figures.words import label, of_all
from hpo.front import pareto_front


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pareto:
    """numbers: [p]; values: [p, 2], of the first two objectives; front: [p], on the front of all objectives."""

    title: str
    empty: str
    objectives: tuple[Objective, ...]
    numbers: Ints
    values: Floats
    front: Bools


def data(trials: Trials) -> Pareto:
    """The front over all objectives of the complete trials, thinned to MOST, and at most MOST of the others."""
    if len(trials.objectives) < 2:
        return _none(trials, "The study has one objective; a front needs two.")
    counted = np.flatnonzero(trials.counted())
    directions = [objective.direction for objective in trials.objectives]
    on_front = np.zeros(len(trials.numbers), dtype=np.bool_)
    on_front[counted[pareto_front(trials.values[counted].tolist(), directions)]] = True
    by_first = np.where(trials.counted(), trials.first, np.nan)
    kept = [ranks(np.where(which, by_first, np.nan), MOST) for which in (on_front, ~on_front)]
    places = np.sort(np.concatenate(kept))
    return Pareto(
        title="Pareto front" + of_all(len(places), len(counted)),
        empty=why_empty(trials),
        objectives=trials.objectives,
        numbers=trials.numbers[places],
        values=trials.values[places, :2],
        front=on_front[places],
    )


def _none(trials: Trials, why: str) -> Pareto:
    return Pareto(
        title="Pareto front", empty=why, objectives=trials.objectives, numbers=np.empty(0, dtype=np.int64),
        values=np.empty((0, 2)), front=np.empty(0, dtype=np.bool_),
    )  # fmt: skip


def draw(record: Pareto) -> go.Figure:
    """The first two objectives across and up; the front in front."""
    if record.empty:
        return blank(record.title, record.empty)
    traces = [
        go.Scatter(
            x=record.values[which, 0],
            y=record.values[which, 1],
            mode="markers",
            name=name,
            customdata=record.numbers[which],
            marker={"color": colour, "size": size, "symbol": symbol},
            hovertemplate="trial %{customdata}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
        )
        for name, which, colour, size, symbol in (
            ("beaten", ~record.front, GREY, 5, "circle"),
            ("on the front", record.front, VERMILION, 9, "diamond"),
        )
        if which.any()
    ]
    kinds = ["log" if spans_decades(column) else "linear" for column in record.values.T]
    sides = [
        {"title": {"text": f"{label(objective)}, {objective.direction}"}, "type": kind}
        for objective, kind in zip(record.objectives[:2], kinds, strict=True)
    ]
    return framed(record.title, *traces, showlegend=True, xaxis=sides[0], yaxis=sides[1])
