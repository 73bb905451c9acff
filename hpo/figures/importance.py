"""How much each parameter matters, the largest on top."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from hpo.figures.columns import Objective, Shares
from hpo.figures.theme import BLUE, blank, framed
from hpo.figures.words import label, of_all, plain, with_unit

MOST_BARS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """names, shares: largest first; unjudged: (name, reason) of parameters that cannot be judged."""

    title: str
    empty: str
    objective: Objective
    names: tuple[str, ...]
    shares: tuple[float, ...]
    unjudged: tuple[tuple[str, str], ...]


def data(shares: Shares) -> Bars:
    """The MOST_BARS largest shares; of equals the name decides."""
    judged = [(name, share) for name, share, _ in shares.shares if share is not None and share == share]
    judged = sorted(judged, key=lambda pair: (-pair[1], pair[0]))[:MOST_BARS]
    unjudged = tuple(
        (name, reason or "no reason given") for name, share, reason in shares.shares if share is None
    )
    why = "No parameter is searched."
    if unjudged:
        reasons = dict.fromkeys(reason for _, reason in unjudged)
        why = f"No parameter can be judged: {plain('; '.join(reasons))}."
    return Bars(
        title="Importance of the parameters" + of_all(shares.n_seen, shares.n),
        empty="" if judged else why,
        objective=shares.objective,
        names=tuple(name for name, _ in judged),
        shares=tuple(share for _, share in judged),
        unjudged=unjudged,
    )


def draw(record: Bars) -> go.Figure:
    """Bars from left to right."""
    if record.empty:
        return blank(record.title, record.empty)
    places = list(range(len(record.names)))
    texts = [with_unit(name) for name in record.names]
    bars = go.Bar(
        x=list(record.shares), y=places, orientation="h", marker={"color": BLUE}, customdata=texts,
        hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
    )  # fmt: skip
    return framed(
        record.title, bars, height=max(320, 60 + 32 * len(places)),
        xaxis={"title": {"text": f"share of what explains {label(record.objective)}"}, "tickformat": ".0%", "rangemode": "tozero"},
        yaxis={"title": {"text": "parameter"}, "tickvals": places, "ticktext": [plain(name) for name in record.names], "autorange": "reversed"},
    )  # fmt: skip
