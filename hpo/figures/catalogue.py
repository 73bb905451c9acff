"""Every figure by its name: how its numbers are found, how they are drawn, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import plotly.graph_objects as go

from hpo.figures import (
    curves,
    heatmap,
    history,
    importance,
    lineage,
    parallel,
    parallel_drawing,
    pareto,
    rounds,
    scatter,
    surface,
    timeline,
)
from hpo.figures import slice as slices


class Plot(NamedTuple):
    """A figure: input columns -> record, record -> drawing, and a sentence of what it shows."""

    data: Callable[..., Any]
    draw: Callable[[Any], go.Figure]
    shows: str


FIGURES: dict[str, Plot] = {
    "history": Plot(
        history.data, history.draw, "The value of each trial by its number, and the best so far."
    ),
    "curves": Plot(curves.data, curves.draw, "The objective after each epoch, of many trials at once."),
    "parallel": Plot(
        parallel.data, parallel_drawing.draw, "A line per trial through its parameters to its value."
    ),
    "slice": Plot(slices.data, slices.draw, "For each parameter alone, the value of each trial over it."),
    "heatmap": Plot(
        heatmap.data, heatmap.draw, "The best value for each pair of learning rate and regularisation."
    ),
    "importance": Plot(importance.data, importance.draw, "How much each parameter matters for the value."),
    "scatter": Plot(
        scatter.data, scatter.draw, "Training against validation: beside the diagonal a network overfits."
    ),
    "timeline": Plot(timeline.data, timeline.draw, "Which cohorts were at work side by side, and when."),
    "rounds": Plot(
        rounds.data, rounds.draw, "Where each round of a coarse-to-fine search draws each parameter."
    ),
    "lineage": Plot(lineage.data, lineage.draw, "Who went on from whose weights in a population."),
    "pareto": Plot(pareto.data, pareto.draw, "The trials that no other beats in every objective."),
    "surface": Plot(
        surface.data, surface.draw, "What a network answers over two features, with the rows upon it."
    ),
}
