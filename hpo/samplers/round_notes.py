"""What is said of a coarse-to-fine search: its rounds, their boxes, why, and the ends at which the best crowd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from hpo.hyperparams import HYPERPARAMETERS
from hpo.samplers.boxes import Edge, Ranges, Step
from hpo.samplers.rounds import Round, Rounds
from hpo.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A round, how its box was made, and its best trial (None while it has not ended, or has none)."""

    round: Round
    step: Step
    best: Trial | None


def notes_of(rounds: Rounds, seen: Sequence[Seen], ranges: Ranges) -> dict[str, Any]:
    """The notes stored with a study: rounds (the last has not ended), edges, sentences.

    seen: all rounds that ended, and the one that comes next
    """
    *ended, coming = seen
    over = coming.round.index >= rounds.options.rounds
    edges = _edges(seen)
    n_rounds, widen = rounds.options.rounds, ranges.written != ranges.reach
    said = [_edge_sentence(n, edge, n_rounds=n_rounds, widen=widen) for n, edge in edges]
    shown = ended if over else seen
    return {
        "rounds": [_record(one, ended=one is not coming) for one in shown],
        "edges": [
            {"round": n, "parameter": edge.name, "end": edge.end, "at": edge.at, "passed": edge.passed}
            for n, edge in edges
        ],
        "sentences": [_summary(rounds, seen, ranges), *said],
    }


def _edges(seen: Sequence[Seen]) -> list[tuple[int, Edge]]:
    """The ends that a round went beyond, and those at which the best crowd now; with the round's number."""
    *earlier, last = [(one.round.index, one.step.edges) for one in seen]
    passed = [(n, edge) for n, edges in earlier for edge in edges if edge.passed]
    return passed + [(last[0], edge) for edge in last[1]]


def _record(one: Seen, *, ended: bool) -> dict[str, Any]:
    return {
        "round": one.round.index + 1,
        "trials": one.round.size,
        "epochs": one.round.epochs,
        "ended": ended,
        "best_number": None if one.best is None else one.best.number,
        "best_value": None if one.best is None else one.best.value,
        "box": {name: range_of(distribution) for name, distribution in one.step.box.items()},
        "why": why(one.step) if one.round.index else "the study file's ranges",
    }


def range_of(distribution: BaseDistribution) -> dict[str, Any]:
    """A range or choices as a study file writes them."""
    if isinstance(distribution, CategoricalDistribution):
        return {"choices": list(distribution.choices)}
    return {"low": distribution.low, "high": distribution.high}  # type: ignore[attr-defined]


def why(step: Step) -> str:
    """How a box was made, in one line."""
    if not step.n_best:
        return "no trial so far has a value, so the ranges stay as they were"
    parts = [f"spanned by the {step.n_best} best of {step.n_known} trials"]
    parts += [f"{name} no longer {' or '.join(map(text_of, gone))}" for name, gone in step.dropped.items()]
    parts += [f"{edge.name} moved past {edge.at:g}" for edge in step.edges if edge.passed]
    return "; ".join(parts)


def text_of(value: Any) -> str:
    """A value as people read it."""
    return (
        f"{value:.3g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _summary(rounds: Rounds, seen: Sequence[Seen], ranges: Ranges) -> str:
    """The rounds in one sentence."""
    *ended, coming = seen
    budgets = ", ".join(str(one.round.epochs) for one in ended)
    box = (ended[-1] if coming.round.index >= rounds.options.rounds else coming).step.box
    narrowed = [
        f"{name} to {_range_text(distribution)}"
        for name, distribution in box.items()
        if distribution != ranges.written[name]
    ]
    what = f"narrowed {', '.join(narrowed)}" if narrowed else "narrowed no range"
    count = f"{len(ended)} round" + ("s" if len(ended) > 1 else "")
    return f"coarse to fine: {count} at {budgets} epochs {what}"


def _range_text(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return " or ".join(map(text_of, distribution.choices))
    return " … ".join(map(text_of, range_of(distribution).values()))


def _edge_sentence(n: int, edge: Edge, *, n_rounds: int, widen: bool) -> str:
    """What became, or should become, of an end at which the best lie after n rounds.

    n_rounds: how many there are to be; widen: whether they may go beyond the written ranges
    """
    side = "lower" if edge.end == "low" else "upper"
    found = f"after round {n} the best trials lie at the {side} end of {edge.name}, {edge.at:.3g}"
    h = HYPERPARAMETERS.get(edge.name)
    if h is not None and edge.at == (h.low if edge.end == "low" else h.high):
        return f"{found}, as far as it may go"
    if edge.passed and n < n_rounds:
        return f"{found}: round {n + 1} goes beyond it"
    cure = "write a wider range" if widen else "write a wider range, or sampler: {widen: true}"
    return f"{found}: better values may lie beyond; {cure}"
