"""A panel per parameter: the value of each trial over that parameter alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.figures.axes import Axis, axis_of, spans_decades
from hpo.figures.columns import Floats, Ints, Objective, Trials
from hpo.figures.reasons import why_empty
from hpo.figures.sampling import best_place, ranks
from hpo.figures.theme import BLUE, VERMILION, blank, framed
from hpo.figures.words import label, of_all

MOST_POINTS = 400  # of one panel
MOST_READ = 4_000  # trials whose params need to be known: some of them have not every parameter
MOST_PANELS = 12
COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One parameter's points, all [p]; best: the place of the best of them, or None."""

    axis: Axis
    numbers: Ints
    x: Floats
    values: Floats
    best: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Panels in the order of the parameters given."""

    title: str
    empty: str
    objective: Objective
    panels: tuple[Panel, ...]


def places(trials: Trials) -> Ints:
    """The places of the trials whose params are worth reading: evenly by value, the best among them."""
    counted = np.where(trials.counted(), trials.first, np.nan)
    best = best_place(counted, trials.objective.direction.sign)
    return ranks(counted, MOST_READ, keep=[] if best is None else [best])


def data(trials: Trials) -> Slice:
    """The first MOST_PANELS parameters; of each at most MOST_POINTS of the complete trials in which it is active."""
    counted = np.where(trials.counted(), trials.first, np.nan)
    panels = [_panel(trials, name, counted) for name in list(trials.parameters)[:MOST_PANELS]]
    panels = [panel for panel in panels if len(panel.numbers)]
    shown, n = max((len(panel.numbers) for panel in panels), default=0), int(np.isfinite(counted).sum())
    return Slice(
        title="Slices" + (of_all(shown, n) if n > MOST_POINTS else ""),
        empty=why_empty(trials) or ("" if panels else "No parameter is searched."),
        objective=trials.objective,
        panels=tuple(panels),
    )


def _panel(trials: Trials, name: str, counted: Floats) -> Panel:
    x = trials.params[name]
    active = np.where(np.isfinite(x), counted, np.nan)
    sign = trials.objective.direction.sign
    best = best_place(active, sign)
    places = ranks(active, MOST_POINTS, keep=[] if best is None else [best])
    return Panel(
        axis=axis_of(name, trials.parameters[name]),
        numbers=trials.numbers[places],
        x=x[places],
        values=active[places],
        best=best_place(active[places], sign),
    )


def draw(record: Slice) -> go.Figure:
    """A grid of panels that share the axis of values; the best trial is a star."""
    if record.empty:
        return blank(record.title, record.empty)
    columns = min(COLUMNS, len(record.panels))
    rows = math.ceil(len(record.panels) / columns)
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, vertical_spacing=0.35 / rows)
    all_values = np.concatenate([panel.values for panel in record.panels])
    y_type = "log" if spans_decades(all_values) else "linear"
    for place, panel in enumerate(record.panels):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        stars = np.arange(len(panel.numbers)) == panel.best
        figure.add_trace(go.Scatter(
            x=panel.x, y=panel.values, mode="markers", customdata=_hover(panel),
            marker={"color": [VERMILION if star else BLUE for star in stars], "opacity": 0.8,
                    "size": [13 if star else 5 for star in stars],
                    "symbol": ["star" if star else "circle" for star in stars]},
            hovertemplate="trial %{customdata[0]}: %{y:.4g}<br>%{customdata[1]}<extra></extra>",
        ), **at)  # fmt: skip
        figure.update_xaxes(panel.axis.layout(), **at)
        figure.update_yaxes(
            {"type": y_type, "title": {"text": label(record.objective) if at["col"] == 1 else ""}}, **at
        )
    style = framed(record.title).layout
    return figure.update_layout(style).update_layout(height=max(420, 280 * rows))


def _hover(panel: Panel) -> list[tuple[int, str]]:
    pairs = zip(panel.numbers.tolist(), panel.x.tolist(), strict=True)
    return [(number, panel.axis.text(x)) for number, x in pairs]
