"""Brackets: trials that are compared with one another while they train, and what is known of each of them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo.states import Reason
from hpo.study import PrunerSpec
from hpo.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """A block of consecutive trial numbers, and after which epochs its trials are judged, ascending."""

    first: int
    size: int
    epochs: tuple[int, ...]

    @property
    def numbers(self) -> range:
        """The numbers of its members, those that a study has no trial of included."""
        return range(self.first, self.first + self.size)

    def next_epoch(self, epoch: int) -> int | None:
        """The first judgement after an epoch; None when there is none."""
        return next((rung for rung in self.epochs if rung > epoch), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a judgement must know of a trial.

    values: the objective after each epoch trained, rounded to float32 as curves are stored; NaN where it was
    none
    last: the last epoch after which it may be judged: one before its own last epoch; of a trial that has
    ended at most the epoch in which it did, and of one that diverged the one before
    """

    values: Sequence[float] = ()
    last: int = 0

    def best(self, epoch: int, sign: int) -> float:
        """sign * the best value of the first epochs, to be made small; inf when there is none."""
        known = [sign * value for value in self.values[:epoch] if math.isfinite(value)]
        return min(known, default=math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How a worker judges a cohort that holds whole brackets, without asking anybody.

    epochs: of the study
    known: members of these brackets that are not in the cohort, since they have ended
    """

    pruner: PrunerSpec
    epochs: int
    known: Mapping[int, History] = field(default_factory=dict)


def single(values: Sequence[float]) -> tuple[float, ...]:
    """Values as a curve keeps them.

    >>> single([0.5, 0.1])
    (0.5, 0.10000000149011612)
    """
    return tuple(array("f", values))


def history_of(result: TrialResult, metric: str, budget: int) -> History:
    """What a trial that has ended shows of itself. budget: the epochs it would have trained.

    A trial that failed otherwise than by diverging has no curve: it was never there.
    """
    if result.curve is None:
        return History()
    name = f"validation_{metric}"
    values = tuple(result.curve.column(name)) if name in result.curve.columns else ()
    diverged = (result.reason or "").split("@")[0] == Reason.DIVERGED
    return History(values=values, last=min(budget - 1, result.epochs - diverged))
