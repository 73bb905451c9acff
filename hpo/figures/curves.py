"""The objective after each epoch, of many trials at once, the best one in front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from hpo.figures.axes import spans_decades
from hpo.figures.columns import Curves, Floats, Objective
from hpo.figures.sampling import outline, ranks
from hpo.figures.theme import SKY, VERMILION, blank, framed
from hpo.figures.words import label, of_all

MOST_CURVES = 40  # more than so many lines cover one another
MOST_EPOCHS = 100  # points of one line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One trial's curve: epochs, values: [e]; NaN stands where it could not be measured, and breaks the line."""

    number: int
    epochs: Floats
    values: Floats
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The curves to draw, the best trial's last."""

    title: str
    empty: str
    objective: Objective
    lines: tuple[Line, ...]


def data(curves: Curves) -> Lines:
    """At most MOST_CURVES of the curves: the best trial's, and others evenly from the best to the worst."""
    sign = curves.objective.direction.sign
    reached = np.array([_best(curve, sign) for curve in curves.curves], dtype=np.float64)
    best = [place for place, number in enumerate(curves.numbers) if number == curves.best]
    kept = sorted(ranks(reached, MOST_CURVES, keep=best), key=lambda place: place in best)
    lines = tuple(_line(curves, int(place)) for place in kept if np.isfinite(reached[place]))
    return Lines(
        title="Learning curves" + of_all(len(lines), curves.n or int(np.isfinite(reached).sum())),
        empty=_why(len(curves.numbers), len(lines)),
        objective=curves.objective,
        lines=lines,
    )


def _best(curve: Floats, sign: int) -> float:
    finite = curve[np.isfinite(curve)]
    return float(sign * (sign * finite).min()) if len(finite) else np.nan


def _line(curves: Curves, place: int) -> Line:
    number, curve = curves.numbers[place], curves.curves[place]
    at = outline(curve, MOST_EPOCHS) if len(curve) > MOST_EPOCHS else np.arange(len(curve), dtype=np.int64)
    return Line(
        number=number, epochs=(at + 1).astype(np.float64), values=curve[at], best=number == curves.best
    )


def _why(n: int, n_lines: int) -> str:
    if n_lines:
        return ""
    return "None of the trials' epochs has a finite value." if n else "No trial has finished an epoch yet."


def draw(record: Lines) -> go.Figure:
    """All but the best as one broken line, so that a page moves it as one."""
    if record.empty:
        return blank(record.title, record.empty)
    hover = "trial %{customdata}, epoch %{x}: %{y:.4g}<extra></extra>"
    traces = [
        go.Scatter(
            x=_joined([line.epochs for line in lines]),
            y=_joined([line.values for line in lines]),
            customdata=_joined([np.full(len(line.epochs), line.number, dtype=np.float64) for line in lines]),
            name=name,
            mode="lines+markers",
            marker={"size": 3},
            line={"color": colour, "width": width},
            opacity=opacity,
            hovertemplate=hover,
        )
        for name, lines, colour, width, opacity in (
            ("other trials", [line for line in record.lines if not line.best], SKY, 1, 0.6),
            ("best trial", [line for line in record.lines if line.best], VERMILION, 3, 1.0),
        )
        if lines
    ]
    y_type = "log" if spans_decades(np.concatenate([line.values for line in record.lines])) else "linear"
    return framed(
        record.title, *traces, showlegend=len(traces) > 1, xaxis={"title": {"text": "epoch"}},
        yaxis={"title": {"text": label(record.objective)}, "type": y_type},
    )  # fmt: skip


def _joined(parts: list[Floats]) -> Floats:
    """One after another, a NaN between: there the line breaks."""
    return np.concatenate([piece for part in parts for piece in (part, [np.nan])][:-1])
