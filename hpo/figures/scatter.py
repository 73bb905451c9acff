"""Train against validation: on the diagonal a network does as well on new rows, beside it it overfits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from hpo.figures.axes import spans_decades
from hpo.figures.columns import Floats, Ints, Objective, Pairs
from hpo.figures.sampling import MOST, best_place, ranks
from hpo.figures.theme import BLUE, GREY, VERMILION, blank, framed
from hpo.figures.words import label, of_all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scatter:
    """numbers, train, validation: [p]; best: the place of the best on validation rows, or None."""

    title: str
    empty: str
    objective: Objective
    numbers: Ints
    train: Floats
    validation: Floats
    best: int | None


def data(pairs: Pairs) -> Scatter:
    """At most MOST of the trials with both numbers, evenly by validation; the best and the worst among them."""
    both = np.where(np.isfinite(pairs.train), pairs.validation, np.nan)
    sign = pairs.objective.direction.sign
    best = best_place(both, sign)
    places = ranks(both, MOST, keep=[] if best is None else [best])
    why = "No trial was measured on training and on validation rows yet."
    if len(pairs.numbers) and not len(places):
        why = "No trial has a finite value on both training and validation rows."
    return Scatter(
        title="Training against validation" + of_all(len(places), pairs.n or int(np.isfinite(both).sum())),
        empty="" if len(places) else why,
        objective=pairs.objective,
        numbers=pairs.numbers[places],
        train=pairs.train[places],
        validation=both[places],
        best=best_place(both[places], sign),
    )


def draw(record: Scatter) -> go.Figure:
    """Points, the diagonal, and the best trial as a star."""
    if record.empty:
        return blank(record.title, record.empty)
    values = np.concatenate([record.train, record.validation])
    ends = [float(values.min()), float(values.max())]
    stars = np.arange(len(record.numbers)) == record.best
    traces = [
        go.Scatter(
            x=ends, y=ends, mode="lines", name="no gap", line={"color": GREY, "dash": "dot"}, hoverinfo="skip"
        ),
        *(
            go.Scatter(
                x=record.train[which],
                y=record.validation[which],
                mode="markers",
                name=name,
                customdata=record.numbers[which],
                marker={"color": colour, "size": size, "symbol": symbol},
                hovertemplate="trial %{customdata}<br>training %{x:.4g}<br>validation %{y:.4g}<extra></extra>",
            )
            for name, which, colour, size, symbol in (
                ("trials", ~stars, BLUE, 6, "circle"),
                ("best trial", stars, VERMILION, 13, "star"),
            )
            if which.any()
        ),
    ]
    kind = "log" if spans_decades(values) else "linear"
    name = label(record.objective)
    return framed(
        record.title, *traces, showlegend=True, xaxis={"title": {"text": f"{name} on training rows"}, "type": kind},
        yaxis={"title": {"text": f"{name} on validation rows"}, "type": kind},
    )  # fmt: skip
