"""How figures look: a light and a dark template that a page can switch, colours that colour-blind people tell apart."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

# Okabe and Ito, "Color Universal Design" (2008): but for black, which a dark page would hide.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#8C8C8C"  # told from both backgrounds
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
# Cividis is read alike with and without colour-blindness (Nuñez, Anderton, Renslow, PLOS ONE 2018).
SCALE = "Cividis"

_INKS: dict[str, dict[str, str]] = {
    "light": {"ink": "#1F2328", "paper": "#FFFFFF", "grid": "#E3E6EA"},
    "dark": {"ink": "#E6EAF0", "paper": "#14171C", "grid": "#333A44"},
}


def _template(ink: str, paper: str, grid: str) -> go.layout.Template:
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "automargin": True}
    return go.layout.Template(
        layout={
            "colorway": list(COLOURS),
            "colorscale": {"sequential": SCALE},
            "font": {"color": ink, "family": "system-ui, sans-serif", "size": 13},
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "hoverlabel": {"bgcolor": paper, "font": {"color": ink}},
            "title": {"x": 0, "xref": "paper"},
            "annotationdefaults": {"bgcolor": paper, "borderpad": 1},  # read upon lines, too
            "xaxis": axis,
            "yaxis": axis,
        }
    )


# A page switches by Plotly.relayout(div, {template: …}): no figure names a colour of its background or its text.
TEMPLATES: dict[str, go.layout.Template] = {name: _template(**inks) for name, inks in _INKS.items()}


def framed(title: str, *traces: Any, **layout: Any) -> go.Figure:
    """A figure with its title; without a legend unless the layout asks for one."""
    base = {
        "title": {"text": title},
        "template": TEMPLATES["light"],
        "showlegend": False,
        "hovermode": "closest",
    }
    return go.Figure(data=list(traces), layout={**base, **layout})


def blank(title: str, why: str) -> go.Figure:
    """The title, and in place of a picture the sentence that says why there is none."""
    hidden = {"visible": False}
    said = {"text": why, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    return framed(title, xaxis=hidden, yaxis=hidden, annotations=[said])
