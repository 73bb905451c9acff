"""A figure of a study."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.schemas.base import Answer, example


class FigureRecord(Answer):
    """A figure in Plotly's JSON: Plotly.newPlot takes it as it is."""

    study: str
    figure: str
    shows: str = Field(description="What there is to see, in a sentence: a text for who does not see it.")
    title: str
    empty: str | None = Field(description="Why there is nothing to see, in a sentence; null: there is.")
    data: list[dict[str, Any]] = Field(description="Plotly's traces; long columns are arrays in base64.")
    layout: dict[str, Any] = Field(description="Plotly's layout; names in it are text, never HTML.")

    model_config = example(
        {
            "study": "wine-red",
            "figure": "history",
            "shows": "The value of each trial by its number, and the best so far.",
            "title": "History",
            "empty": None,
            "data": [{"type": "scatter", "mode": "markers", "x": [0, 1], "y": [0.61, 0.73]}],
            "layout": {"title": {"text": "History"}, "xaxis": {"title": {"text": "trial number"}}},
        }
    )
