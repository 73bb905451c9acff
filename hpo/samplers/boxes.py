"""Where the next round of a coarse-to-fine search draws: the box that the best trials known so far span.

Every parameter is looked at by itself, numbers on the line they are searched on (log where log).
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hpo.space import Value

FEWEST = 4  # values that may span a range
CHANCE = 0.05  # of dropping a choice, or of seeing an edge, where a parameter does not matter
OUTERMOST = 0.1  # share of a range that counts as its end
NORMAL = 1.6449  # the normal distribution is above it with that chance

Box = dict[str, BaseDistribution]
Numbers = FloatDistribution | IntDistribution


class Known(NamedTuple):
    """A finished trial: its score, small is good, inf when it diverged; and its params."""

    score: float
    params: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The best values of a parameter crowd at an end of its range.

    end: low or high; at: that end; passed: the next box goes beyond it
    """

    name: str
    end: str
    at: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A box, and what led to it: how many trials spanned it out of how many, choices dropped, edges found."""

    box: Box
    n_best: int = 0
    n_known: int = 0
    dropped: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """written: the study file's; reach: as far as a box may go, the same unless the search may widen."""

    written: Mapping[str, BaseDistribution]
    reach: Mapping[str, BaseDistribution]

    def next_box(self, before: Mapping[str, BaseDistribution], known: Sequence[Known], n_best: int) -> Step:
        """The box after one, from what is known, of which the n_best best (and what ties with the last) span it."""
        best = best_of(known, n_best)
        box, dropped, edges = dict(before), {}, []
        for name, distribution in before.items():
            if isinstance(distribution, CategoricalDistribution):
                box[name], gone = _choices(name, distribution, best, known)
                if gone:
                    dropped[name] = gone
            elif isinstance(distribution, FloatDistribution | IntDistribution):
                box[name], found = self._numbers(name, distribution, best)
                edges += found
        return Step(box=box, n_best=len(best), n_known=len(known), dropped=dropped, edges=tuple(edges))

    def _numbers(self, name: str, before: Numbers, best: Sequence[Known]) -> tuple[Numbers, list[Edge]]:
        written, reach = self.written[name], self.reach[name]
        values = [
            float(trial.params[name])  # type: ignore[arg-type]
            for trial in best
            if name in trial.params and reach._contains(reach.to_internal_repr(trial.params[name]))
        ]
        if len(values) < FEWEST:
            return before, []
        return span(name, values, written=written, reach=reach, before=before)  # type: ignore[arg-type]


def best_of(known: Sequence[Known], n_best: int) -> list[Known]:
    """The best, ties to the earlier; all that tie with the last of them; never one that diverged."""
    ranked = sorted((trial for trial in known if math.isfinite(trial.score)), key=lambda trial: trial.score)
    if len(ranked) <= n_best:
        return ranked
    worst = ranked[n_best - 1].score
    return [trial for trial in ranked if trial.score <= worst]


def span(
    name: str, values: Sequence[float], *, written: Numbers, reach: Numbers, before: Numbers
) -> tuple[Numbers, list[Edge]]:
    """The range that good values of a parameter span, and the ends of the allowed range they crowd at.

    Of k values drawn evenly from a range, (largest - smallest) / (k - 1) beyond both is where its ends
    are to be expected (the unbiased estimate of least variance), so that much is added on either side.
    """
    low, low_edge = _end("low", values, written, reach, before)
    high, high_edge = _end("high", values, written, reach, before)
    edges = [replace(edge, name=name) for edge in (low_edge, high_edge) if edge is not None]
    return _on_lattice(written, low, high, values) if _step(written) else replace_ends(
        written, low, high
    ), edges


def _end(
    end: str, values: Sequence[float], written: Numbers, reach: Numbers, before: Numbers
) -> tuple[float, Edge | None]:
    """Where the box ends on one side. Turned so that the end in question is the large one."""
    sign, other = (-1, "high") if end == "low" else (1, "low")

    def line(value: float) -> float:
        return sign * (math.log(value) if written.log else float(value))

    limit = max(getattr(written, end), getattr(before, end), key=line)
    furthest = getattr(reach, end)
    points = [line(value) for value in values]
    width = max(points) - min(points)
    outer = max(points) + width / (len(points) - 1)
    if outer < line(limit):
        near = _at_end(points, line(furthest), line(getattr(reach, other)))
        edge = Edge(name="", end=end, at=furthest, passed=False) if near else None
        return math.exp(sign * outer) if written.log else sign * outer, edge
    if not _crowd(points, line(limit), line(getattr(before, other)), _n_points(before)):
        return limit, None
    edge = Edge(name="", end=end, at=limit, passed=furthest != limit)
    outer = line(limit) + width  # beyond it by as much as the good values take up
    if outer >= line(furthest):
        return furthest, edge
    return math.exp(sign * outer) if written.log else sign * outer, edge


def _crowd(points: Sequence[float], limit: float, far: float, n_points: float) -> bool:
    """Whether points are nearer to the limit than chance would leave them, were they even from far to limit.

    Their mean place is about normal: of k even ones around 1/2 with variance 1/12k (1 + 2 / (n - 1)),
    n_points being the values there are.
    """
    if limit <= far:
        return False
    place = sum((limit - point) / (limit - far) for point in points) / len(points)
    variance = (1 + 2 / max(1.0, n_points - 1)) / (12 * len(points))
    return place < 0.5 - NORMAL * math.sqrt(variance)


def _at_end(points: Sequence[float], limit: float, far: float) -> bool:
    """Whether at least half of the points lie in the outermost tenth of the whole range."""
    outermost = limit - (limit - far) * OUTERMOST
    return limit > far and statistics.median(points) >= outermost


def _step(distribution: Numbers) -> float | None:
    return distribution.step if isinstance(distribution, FloatDistribution) else float(distribution.step)


def _n_points(distribution: Numbers) -> float:
    """How many values a range has; log ranges of whole numbers count as if they had no end of them."""
    step = _step(distribution)
    return math.inf if step is None or distribution.log else (distribution.high - distribution.low) / step + 1


def replace_ends(written: Numbers, low: float, high: float) -> Numbers:
    """A range like another with other ends."""
    if isinstance(written, IntDistribution):
        return IntDistribution(int(low), int(high), log=written.log, step=written.step)
    return FloatDistribution(low, high, log=written.log, step=written.step)


def _on_lattice(written: Numbers, low: float, high: float, values: Sequence[float]) -> Numbers:
    """The range with its ends moved outwards to steps of the written one, one step at least beyond the values."""
    step, first = Decimal(str(written.step)), Decimal(str(written.low))
    last = (Decimal(str(written.high)) - first) // step
    lowest = min(
        math.floor((Decimal(low) - first) / step), round((min(values) - written.low) / float(step)) - 1
    )
    highest = max(
        math.ceil((Decimal(high) - first) / step), round((max(values) - written.low) / float(step)) + 1
    )
    return replace_ends(
        written,
        float(first + max(0, lowest) * step),
        float(first + min(int(last), highest) * step),
    )


def _choices(
    name: str, before: CategoricalDistribution, best: Sequence[Known], known: Sequence[Known]
) -> tuple[CategoricalDistribution, tuple[Value, ...]]:
    """The choices without those that are among the best less often than chance would leave them.

    Were a choice as good as the others, the number of its trials among the best would be hypergeometric;
    it is dropped when so few or fewer have a chance of 5 %, and never when the best trial has it.
    """
    places = {_key(choice) for choice in before.choices}
    counts = Counter(_key(trial.params[name]) for trial in known if name in trial.params)
    chosen = Counter(_key(trial.params[name]) for trial in best if name in trial.params)
    n_known = sum(counts[place] for place in places)
    n_best = sum(chosen[place] for place in places)
    first = next((_key(trial.params[name]) for trial in best if name in trial.params), None)
    dropped = tuple(
        choice
        for choice in before.choices
        if _key(choice) != first
        and at_most(chosen[_key(choice)], n_best, counts[_key(choice)], n_known) <= CHANCE
    )
    if not dropped or first not in places:
        return before, ()
    gone = set(map(_key, dropped))
    return CategoricalDistribution([c for c in before.choices if _key(c) not in gone]), dropped


def _key(value: Value) -> tuple[type, Value]:
    """1, 1.0 and true are three values."""
    return type(value), value


def at_most(found: int, drawn: int, marked: int, total: int) -> float:
    """The chance of at most `found` marked ones among `drawn` of `total`, of which `marked` are; found <= drawn.

    >>> round(at_most(0, 5, 10, 20), 4)
    0.0163
    """
    ways = sum(math.comb(marked, i) * math.comb(total - marked, drawn - i) for i in range(found + 1))
    return ways / math.comb(total, drawn)
