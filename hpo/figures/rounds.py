"""The boxes of a coarse-to-fine search: where each round draws each parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpo.figures.axes import Axis, axis_of
from hpo.figures.columns import Box, Boxes
from hpo.figures.theme import BLUE, blank, framed

MOST_PANELS = 12
COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One parameter's boxes, by round."""

    axis: Axis
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Panels in the order of the parameters."""

    title: str
    empty: str
    panels: tuple[Panel, ...]


def data(boxes: Boxes) -> Rounds:
    """The first MOST_PANELS parameters that have boxes; a box without finite ends or choices is left out."""
    drawn = sorted((box for box in boxes.boxes if box.choices or _is_finite(box)), key=lambda box: box.round)
    panels = [
        Panel(axis=axis_of(name, parameter), boxes=tuple(box for box in drawn if box.name == name))
        for name, parameter in boxes.parameters.items()
        if any(box.name == name for box in drawn)
    ]
    why = "The study has no rounds: its sampler is not coarse_to_fine, or has not begun."
    return Rounds(
        title="Rounds of coarse to fine", empty="" if panels else why, panels=tuple(panels[:MOST_PANELS])
    )


def _is_finite(box: Box) -> bool:
    return box.low is not None and box.high is not None and math.isfinite(box.high - box.low)


def draw(record: Rounds) -> go.Figure:
    """A panel per parameter: a line from low to high per round, or a square per choice that is left."""
    if record.empty:
        return blank(record.title, record.empty)
    columns = min(COLUMNS, len(record.panels))
    rows = math.ceil(len(record.panels) / columns)
    figure = make_subplots(
        rows=rows, cols=columns, vertical_spacing=0.3 / rows, horizontal_spacing=0.3 / columns
    )
    for place, panel in enumerate(record.panels):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        figure.add_trace(_line(panel), **at)
        figure.update_xaxes({"title": {"text": "round"}, "dtick": 1}, **at)
        figure.update_yaxes(panel.axis.layout(), **at)
    return figure.update_layout(framed(record.title).layout).update_layout(height=max(380, 280 * rows))


def _line(panel: Panel) -> go.Scatter:
    """All boxes of a panel as one broken line; None breaks it."""
    points: list[tuple[int, float | None]] = []
    for box in panel.boxes:
        ends: list[float | None] = [*map(float, box.choices)] or [box.low, box.high]
        points += [*((box.round, end) for end in ends), (box.round, None)]
    style: dict[str, Any] = {"mode": "markers", "marker": {"symbol": "square", "size": 10, "color": BLUE}}
    if not panel.axis.choices:
        style = {"mode": "lines+markers", "line": {"width": 8, "color": BLUE}, "marker": {"color": BLUE}}
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        customdata=[None if y is None else panel.axis.text(y) for _, y in points],
        hovertemplate="round %{x}: %{customdata}<extra></extra>",
        **style,
    )
