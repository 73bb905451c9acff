"""A population's lineage: who went on from whose weights, and the ancestors of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from hpo.figures.columns import Heirs
from hpo.figures.theme import GREY, VERMILION, blank, framed
from hpo.figures.words import of_all

MOST_TRIALS = 200  # rows that can be told apart on a long page

Life = tuple[int, int, int]  # trial, from epoch, to epoch
Step = tuple[int, int, int]  # after epoch, source, heir


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """lives: of each trial its epochs; steps: inheritances between trials drawn.

    best_lives, best_steps: the stretches that the best trial's weights went through, from epoch 0 to its end
    """

    title: str
    empty: str
    lives: tuple[Life, ...]
    steps: tuple[Step, ...]
    best_lives: tuple[Life, ...]
    best_steps: tuple[Step, ...]


def data(heirs: Heirs) -> Lineage:
    """At most MOST_TRIALS trials: the best one's ancestors, then by number."""
    best = heirs.best
    best_lives, best_steps = ((), ()) if best is None or best not in heirs.epochs else _ancestry(heirs, best)
    first = dict.fromkeys([*(number for number, _, _ in best_lives), *sorted(heirs.epochs)])
    kept = sorted(list(first)[:MOST_TRIALS])
    steps = tuple(sorted(step for step in heirs.steps if {step[1], step[2]} <= set(kept)))
    return Lineage(
        title="Lineage of the population" + of_all(len(kept), len(heirs.epochs)),
        empty="" if heirs.steps and kept else "No trial has gone on from another one's weights.",
        lives=tuple((number, 0, heirs.epochs[number]) for number in kept),
        steps=steps,
        best_lives=best_lives,
        best_steps=best_steps,
    )


def _ancestry(heirs: Heirs, best: int) -> tuple[tuple[Life, ...], tuple[Step, ...]]:
    """The way of the best trial's weights, backwards from its end: at each inheritance over to the source."""
    number, end = best, heirs.epochs[best]
    lives: list[Life] = []
    steps: list[Step] = []
    while True:
        before = [step for step in heirs.steps if step[2] == number and step[0] < end]
        if not before:
            return ((number, 0, end), *reversed(lives)), tuple(reversed(steps))
        step = max(before)
        lives.append((number, step[0], end))
        steps.append(step)
        end, number = step[0], step[1]


def draw(record: Lineage) -> go.Figure:
    """A row per trial over the epochs, a line from source to heir where weights went over."""
    if record.empty:
        return blank(record.title, record.empty)
    kinds = (
        ("all trials", record.lives, record.steps, GREY, 1),
        ("the best one's weights", record.best_lives, record.best_steps, VERMILION, 3),
    )
    traces = [
        _lines(name, lives, steps, colour, width) for name, lives, steps, colour, width in kinds if lives
    ]
    return framed(
        record.title,
        *traces,
        showlegend=len(traces) > 1,
        height=max(420, 120 + 8 * len(record.lives)),
        xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "trial number"}},
    )


def _lines(name: str, lives: Sequence[Life], steps: Sequence[Step], colour: str, width: int) -> go.Scatter:
    """Lives and steps as one broken line; None breaks it."""
    x: list[int | None] = []
    y: list[int | None] = []
    for number, start, end in lives:
        x += [start, end, None]
        y += [number, number, None]
    for epoch, source, heir in steps:
        x += [epoch, epoch, None]
        y += [source, heir, None]
    return go.Scatter(
        x=x, y=y, name=name, mode="lines", line={"color": colour, "width": width},
        hovertemplate="trial %{y}, epoch %{x}<extra></extra>",
    )  # fmt: skip
