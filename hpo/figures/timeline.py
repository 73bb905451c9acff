"""Cohorts over time: what worked when, how many at once, and with how many lanes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from hpo.figures.columns import Bools, Floats, Ints, Spans
from hpo.figures.sampling import MOST
from hpo.figures.theme import BLUE, ORANGE, blank, framed
from hpo.figures.words import of_all, plain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Bars, all [p], by start; slots: names of the rows; slot: places among them; starts, seconds: since the study began, long.

    running: [p], cohorts still at work
    """

    title: str
    empty: str
    slots: tuple[str, ...]
    slot: Ints
    cohorts: Ints
    starts: Floats
    seconds: Floats
    lanes: Ints
    running: Bools


def data(spans: Spans) -> Timeline:
    """At most MOST bars: the longest, since those of no width are not seen; without a start there is no bar."""
    ends = np.where(np.isfinite(spans.ends), spans.ends, spans.now)
    seconds = np.maximum(ends - spans.starts, 0.0)
    begun = np.flatnonzero(np.isfinite(spans.starts))
    longest = begun[np.argsort(-seconds[begun], kind="stable")][:MOST]
    kept = longest[np.argsort(spans.starts[longest], kind="stable")]
    return Timeline(
        title="Timeline" + of_all(len(kept), len(begun), "cohorts"),
        empty="" if len(kept) else "No cohort has begun yet, or hpo did not keep yet when it did.",
        slots=tuple(spans.slots),
        slot=spans.slot[kept],
        cohorts=spans.cohorts[kept],
        starts=spans.starts[kept],
        seconds=seconds[kept],
        lanes=spans.lanes[kept],
        running=~np.isfinite(spans.ends[kept]),
    )


def draw(record: Timeline) -> go.Figure:
    """A bar per cohort, in rows of those that follow one another."""
    if record.empty:
        return blank(record.title, record.empty)
    kinds = (("done", ~record.running, BLUE), ("running", record.running, ORANGE))
    bars = [
        go.Bar(
            base=record.starts[which],
            x=record.seconds[which],
            y=record.slot[which],
            name=name,
            orientation="h",
            marker={"color": colour, "line": {"width": 1, "color": "white"}},
            customdata=np.column_stack([record.cohorts[which], record.lanes[which], record.seconds[which]]),
            hovertemplate="cohort %{customdata[0]:d}, %{customdata[1]:d} lanes<br>%{customdata[2]:.4g} s<extra></extra>",
        )
        for name, which, colour in kinds
        if which.any()
    ]
    rows = list(range(len(record.slots)))
    return framed(
        record.title,
        *bars,
        barmode="overlay",
        showlegend=bool(record.running.any()),
        height=max(260, 120 + 32 * len(rows)),
        xaxis={"title": {"text": "time since the study began [s]"}},
        yaxis={
            "title": {"text": "side by side"},
            "tickvals": rows,
            "ticktext": [plain(slot) for slot in record.slots],
        },
    )
