"""Parallel coordinates drawn as plain lines: Plotly's own need WebGL, which many a browser has not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from hpo.figures.axes import Axis
from hpo.figures.columns import Floats, Ints
from hpo.figures.parallel import Parallel
from hpo.figures.theme import GREY, SCALE, VERMILION, blank, framed
from hpo.figures.words import label, short

SHADES = 12  # of the lines: as many as are told apart, and one trace of the page each
MOST_TICKS = 12


class Column(NamedTuple):
    """One axis: where its lines pass, [p], and what stands there; ticks: place -> its text."""

    title: str
    places: Floats
    text: Callable[[float], str]
    ticks: dict[float, str]

    def heights(self, places: Floats) -> Floats:
        """Places as heights from 0 to 1, the lowest line to the highest."""
        low, high = float(self.places.min()), float(self.places.max())
        return (places - low) / (high - low) if high > low else np.full(len(places), 0.5)


def draw(record: Parallel) -> go.Figure:
    """The value, the parameters and the trial's number from left to right; better lines over worse ones."""
    if record.empty:
        return blank(record.title, record.empty)
    columns = [
        _numbers(label(record.objective), record.values),
        *(_column(axis, places) for axis, places in zip(record.axes, record.places, strict=True)),
        _numbers("trial number", record.numbers.astype(np.float64)),
    ]
    heights = np.column_stack([column.heights(column.places) for column in columns])
    reverse = record.objective.direction.sign > 0
    colours = sample_colorscale(SCALE, np.linspace(1, 0, SHADES) if reverse else np.linspace(0, 1, SHADES))
    shades = _shades(columns[0].heights(record.values))
    lines = [
        _lines(record, columns, heights, np.flatnonzero(shades == shade), colour)
        for shade, colour in enumerate(colours)
    ]
    best = _lines(record, columns, heights, np.array([len(heights) - 1]), VERMILION, width=3)
    order = reversed(lines) if reverse else lines
    return framed(
        record.title,
        *(line for line in order if line is not None),
        best,
        _poles(len(columns)),
        _legend(record, reverse=reverse),
        annotations=_ticks(columns),
        xaxis={
            "title": {"text": "parameter"}, "tickvals": list(range(len(columns))), "tickangle": -15,
            "ticktext": [column.title for column in columns], "range": [-0.5, len(columns) - 0.5],
            "showgrid": False, "zeroline": False,
        },
        yaxis={"title": {"text": "lowest to highest drawn"}, "showticklabels": False, "showgrid": False, "zeroline": False},
    )  # fmt: skip


def _numbers(title: str, values: Floats) -> Column:
    places = np.linspace(values.min(), values.max(), 5)
    if (values == values.round()).all():
        places = np.unique(places.round())
    return Column(title, values, short, {float(place): short(place) for place in places})


def _column(axis: Axis, places: Floats) -> Column:
    """An axis of a parameter; decades stand at their logarithms."""
    low, high = float(places.min()), float(places.max())
    if axis.choices:
        drawn = range(round(low), round(high) + 1, 1 + len(axis.choices) // MOST_TICKS)
        return Column(axis.title, places, axis.text, {float(place): axis.choices[place] for place in drawn})
    if not axis.log:
        return _numbers(axis.title, places)
    whole = np.arange(np.ceil(low), np.floor(high) + 1)
    ticks = whole if len(whole) > 1 else np.array([low, high])
    return Column(
        axis.title,
        places,
        lambda place: short(10.0**place),
        {float(place): short(10.0**place) for place in ticks},
    )


def _shades(heights: Floats) -> Ints:
    """The colour of each line by its value."""
    return np.minimum((heights * SHADES).astype(np.int64), SHADES - 1)


def _lines(
    record: Parallel, columns: Sequence[Column], heights: Floats, which: Ints, colour: str, width: float = 1
) -> go.Scatter | None:
    """Some lines as one broken line, so that a page moves them as one."""
    if not len(which):
        return None
    texts = [
        (int(record.numbers[place]), f"{column.title}: {column.text(float(column.places[place]))}")
        for place in which
        for column in (*columns, columns[-1])
    ]
    gap = np.full((len(which), 1), np.nan)
    return go.Scatter(
        x=np.tile(np.append(np.arange(len(columns), dtype=np.float64), np.nan), len(which)),
        y=np.hstack([heights[which], gap]).ravel(),
        customdata=texts,
        mode="lines",
        line={"color": colour, "width": width},
        opacity=1.0 if width > 1 else 0.7,
        hovertemplate="trial %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
    )


def _poles(n: int) -> go.Scatter:
    """The axes themselves."""
    x = [place for column in range(n) for place in (column, column, None)]
    return go.Scatter(
        x=x, y=[0, 1, None] * n, mode="lines", line={"color": GREY, "width": 1}, hoverinfo="skip"
    )


def _ticks(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The numbers along the axes, on paper of their own: else the lines would cross them out."""
    beside = {"showarrow": False, "xanchor": "left", "xshift": 3, "font": {"size": 11}}
    return [
        {"x": place, "y": float(height), "text": text, **beside}
        for place, column in enumerate(columns)
        for height, text in zip(
            column.heights(np.array(list(column.ticks))), column.ticks.values(), strict=True
        )
    ]


def _legend(record: Parallel, *, reverse: bool) -> go.Scatter:
    """The scale of colours, at a point that is not drawn."""
    marker = {
        "color": [float(record.values.min())],
        "cmin": float(record.values.min()),
        "cmax": float(record.values.max()),
        "colorscale": SCALE,
        "reversescale": reverse,
        "showscale": True,
        "colorbar": {"title": {"text": label(record.objective)}},
    }
    return go.Scatter(x=[None], y=[None], mode="markers", marker=marker, hoverinfo="skip")
