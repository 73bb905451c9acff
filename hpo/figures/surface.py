"""The decision surface of a network over two features, with the rows upon it, as the Playground shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from hpo.figures.columns import Floats, Ints, Plane
from hpo.figures.sampling import MOST
from hpo.figures.theme import GREY, SCALE, blank, framed
from hpo.figures.words import escaped, plain

MOST_CELLS = 100  # of a side: one per few pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """x: [w], y: [h], outputs: [h, w]; rows_x, rows_y, rows_target: [p], as in Plane; low, high: of the colours."""

    title: str
    empty: str
    features: tuple[str, str]
    target: str
    x: Floats
    y: Floats
    outputs: Floats
    rows_x: Floats
    rows_y: Floats
    rows_target: Floats
    low: float
    high: float


def data(plane: Plane | str) -> Surface:
    """At most MOST_CELLS lines of the plane a side and MOST rows, both taken evenly; rows without a place left out.

    plane: or the sentence why there is none. Raises ValueError when outputs is not [h, w].
    """
    if isinstance(plane, str):
        return _none(plane)
    if plane.outputs.shape != (len(plane.y), len(plane.x)):
        raise ValueError(f"outputs must be [{len(plane.y)}, {len(plane.x)}], got {list(plane.outputs.shape)}")
    across, up = _evenly(len(plane.x), MOST_CELLS), _evenly(len(plane.y), MOST_CELLS)
    placed = np.flatnonzero(
        np.isfinite(plane.rows_x) & np.isfinite(plane.rows_y) & np.isfinite(plane.rows_target)
    )
    rows = placed[_evenly(len(placed), MOST)]
    outputs = plane.outputs[np.ix_(up, across)]
    seen = np.concatenate([outputs[np.isfinite(outputs)], plane.rows_target[rows]])
    return Surface(
        title=f"Decision surface of trial {plane.number}",
        empty="" if np.isfinite(outputs).any() else "The network gives no finite answer on this plane.",
        features=plane.features,
        target=plane.target,
        x=plane.x[across],
        y=plane.y[up],
        outputs=outputs,
        rows_x=plane.rows_x[rows],
        rows_y=plane.rows_y[rows],
        rows_target=plane.rows_target[rows],
        low=float(seen.min()) if len(seen) else 0.0,
        high=float(seen.max()) if len(seen) else 1.0,
    )


def _none(why: str) -> Surface:
    nothing = np.empty(0)
    return Surface(
        title="Decision surface", empty=why, features=("", ""), target="", x=nothing, y=nothing,
        outputs=np.empty((0, 0)), rows_x=nothing, rows_y=nothing, rows_target=nothing, low=0.0, high=1.0,
    )  # fmt: skip


def _evenly(n: int, most: int) -> Ints:
    """At most `most` places of n, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round()).astype(np.int64)


def draw(record: Surface) -> go.Figure:
    """Answers as colours; each row has the colour of its true value, so a wrong answer stands out."""
    if record.empty:
        return blank(record.title, escaped(record.empty))
    colours = {"colorscale": SCALE, "cmin": record.low, "cmax": record.high}
    across, up = map(plain, record.features)
    target = plain(record.target)
    answers = go.Heatmap(
        x=record.x, y=record.y, z=record.outputs, colorscale=SCALE, zmin=record.low, zmax=record.high,
        zsmooth="best", colorbar={"title": {"text": target}},
        hovertemplate=f"{across} %{{x:.3g}}, {up} %{{y:.3g}}<br>answer %{{z:.3g}}<extra></extra>",
    )  # fmt: skip
    rows = go.Scatter(
        x=record.rows_x, y=record.rows_y, mode="markers", customdata=record.rows_target,
        marker={"color": record.rows_target, "size": 7, "line": {"width": 1.5, "color": GREY}, **colours},
        hovertemplate=f"{across} %{{x:.3g}}, {up} %{{y:.3g}}<br>true {target} %{{customdata:.3g}}<extra></extra>",
    )  # fmt: skip
    return framed(
        record.title, answers, rows, xaxis={"title": {"text": across}}, yaxis={"title": {"text": up}}
    )
