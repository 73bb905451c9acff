"""The value of each trial by its number, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from hpo.figures.axes import spans_decades
from hpo.figures.columns import Bools, Floats, Ints, Objective, Trials
from hpo.figures.reasons import why_empty
from hpo.figures.sampling import best_place, outline
from hpo.figures.theme import BLUE, GREY, VERMILION, blank, framed
from hpo.figures.words import label, of_all
from hpo.states import TrialState


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Points, and the steps of the best so far.

    numbers, values: [p], trials that have a value; counted: [p], False for those that cannot be the best (pruned,
    or against a constraint)
    best_numbers, best_values: [q], where the best became better, and the last trial with the best of all
    """

    title: str
    empty: str
    objective: Objective
    numbers: Ints
    values: Floats
    counted: Bools
    best_numbers: Ints
    best_values: Floats


def data(trials: Trials) -> History:
    """The history of the first objective: COMPLETE and PRUNED trials, thinned; the best over all trials given."""
    counted = trials.counted()
    values = np.where(
        np.isin(trials.states, [TrialState.COMPLETE.value, TrialState.PRUNED.value]), trials.first, np.nan
    )
    sign = trials.objective.direction.sign
    best = best_place(np.where(counted, values, np.nan), sign)
    places = outline(values, keep=[] if best is None else [best])
    steps = _steps(np.where(counted, values, np.nan), sign)
    return History(
        title="History" + of_all(len(places), int(np.isfinite(values).sum())),
        empty=why_empty(trials),
        objective=trials.objective,
        numbers=trials.numbers[places],
        values=values[places],
        counted=counted[places],
        best_numbers=trials.numbers[steps],
        best_values=_best_so_far(np.where(counted, values, np.nan), sign)[steps],
    )


def _best_so_far(values: Floats, sign: int) -> Floats:
    """[n], the best of the values up to each place; NaN before the first."""
    best = np.minimum.accumulate(np.where(np.isfinite(values), sign * values, np.inf))
    return np.where(np.isfinite(best), sign * best, np.nan)


def _steps(values: Floats, sign: int) -> Ints:
    """Places at which the best became better, thinned, and the last place."""
    best = _best_so_far(values, sign)
    seen = np.flatnonzero(np.isfinite(best))
    if not len(seen):
        return seen.astype(np.int64)
    better = seen[np.concatenate([[True], best[seen[1:]] != best[seen[:-1]]])]
    return np.unique(np.append(better[outline(best[better])], seen[-1])).astype(np.int64)


def draw(record: History) -> go.Figure:
    """Points, and the best so far as a staircase."""
    if record.empty:
        return blank(record.title, record.empty)
    hover = "trial %{x}: %{y:.4g}<extra></extra>"
    points = [
        go.Scatter(x=record.numbers[which], y=record.values[which], name=name, mode="markers",
                     marker={"color": colour, "size": 6, "symbol": symbol}, hovertemplate=hover)
        for name, which, colour, symbol in (("complete", record.counted, BLUE, "circle"),
                                            ("pruned or infeasible", ~record.counted, GREY, "x-thin-open"))
        if which.any()
    ]  # fmt: skip
    best = go.Scatter(
        x=record.best_numbers, y=record.best_values, name="best so far", mode="lines",
        line={"color": VERMILION, "shape": "hv", "width": 2},
        hovertemplate="best up to trial %{x}: %{y:.4g}<extra></extra>",
    )  # fmt: skip
    y_type = "log" if spans_decades(record.values) else "linear"
    return framed(
        record.title, *points, best, showlegend=True, xaxis={"title": {"text": "trial number"}},
        yaxis={"title": {"text": label(record.objective)}, "type": y_type},
    )  # fmt: skip
