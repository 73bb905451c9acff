"""Samplers that learn: Optuna's own, asked in batches, so that no plan depends on who finished first.

Trials of numbers b * batch … are asked for once all of batch b - 2 and earlier are told. Just these are
known with their results then, batch b - 1 is shown as still running, whatever else has ended meanwhile:
workers train one batch while the next is planned, and a plan is a function of the study file alone.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hpo.errors import SpecError
from hpo.samplers.engines import ENGINES
from hpo.samplers.history import History
from hpo.space import Params, SearchSpace
from hpo.study import Direction
from hpo.trial import Trial, TrialPlan

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """All that a learning sampler is made from; it can be sent to another process.

    engine: a name of ENGINES; options: of Optuna's class; constrained: the study has constraints
    """

    engine: str
    space: SearchSpace
    directions: tuple[Direction, ...]
    seed: int
    batch: int
    options: Mapping[str, Any] = field(default_factory=dict)
    constrained: bool = False


class _Known(NamedTuple):
    """What is certain of a number: its parameters, and whether they are the sampler's own."""

    params: Params
    sampled: bool


class Question(NamedTuple):
    """All that plans of numbers first … first + n - 1 depend on."""

    learning: Learning
    warm: list[Trial]
    known: list[_Known]
    told: list[Trial]
    first: int
    n: int


def answer(question: Question) -> list[TrialPlan]:
    """The plans, worked out from nothing but the question."""
    sampler = AdaptiveSampler(question.learning)
    sampler.warm(question.warm)
    sampler.remember(question.known, question.told)
    return sampler.ask(question.first, question.n)


class AdaptiveSampler:
    """Answers ask and tell by one of Optuna's samplers and a history in memory.

    patience_s: about the longest that `ask` keeps its caller waiting; what it has not done by then it goes on
    with when it is asked again, and then gives no plan before it has all of the batch, as far as
    total: trials of the study go
    """

    def __init__(self, learning: Learning, *, total: int = 0, patience_s: float = math.inf) -> None:
        self._learning = learning
        self._total = total
        self._patience_s = patience_s
        self._thinking = False
        self._warned = False
        self._batch = learning.batch
        self._known: list[_Known] = []  # by number
        self._told: list[Trial] = []  # by number
        self._warm: list[Trial] = []
        self._history = self._begin()

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first … first + n - 1, fewer where earlier batches must be told first.

        All lower numbers must be known. A number asked for once more gets the same plan.
        """
        if first > len(self._known):
            raise SpecError(f"trial {len(self._known)} must be planned before trial {first} is asked for")
        deadline = time.monotonic() + self._patience_s
        end_of_batch = min((first // self._batch + 1) * self._batch, self._total)
        self._thinking = False
        for number in range(len(self._known), max(first + n, end_of_batch)):
            if not self.is_due(number):
                break
            if not self._catch_up(number, deadline):
                self._thinking = True
                break
            self._known.append(_Known(self._history.propose(), True))
        if self._thinking:
            n = min(n, end_of_batch - first) if len(self._known) >= end_of_batch > first else 0
        given = self._known[first : first + n]
        return [TrialPlan(number=first + i, params=known.params) for i, known in enumerate(given)]

    def is_due(self, number: int) -> bool:
        """Whether enough trials are told for a number to be asked for."""
        return len(self._told) >= self._seen_by(number)

    def n_blind(self, number: int) -> int:
        """How many trials from a number on are asked for before any result is known."""
        return 0 if self._warm else max(0, 2 * self._batch - number)

    def question(self, first: int, n: int) -> Question:
        """What another process needs to know to answer in the place of this one."""
        return Question(self._learning, self._warm, self._known[:first], self._told, first, n)

    def remember(self, known: Sequence[_Known], told: Sequence[Trial]) -> None:
        """Begin with what is known of the numbers, and of the first of them how they ended."""
        self._known, self._told = list(known), list(told)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Finished trials, in order of number; how they ended is looked at when their batch's turn comes."""
        for trial in trials:
            if trial.number == len(self._known):
                self._known.append(_Known(trial.params, trial.sampled))
            self._told.append(trial)

    def warm(self, trials: Sequence[Trial]) -> None:
        """Finished trials of other studies, known from the beginning."""
        self._warm = list(trials)
        self._history = self._begin()

    def planned(self, trials: Sequence[Trial]) -> None:
        """Who got the next numbers; what was proposed for them and later ones is forgotten if it was another."""
        for trial in trials:
            if trial.number < len(self._known):
                if dict(self._known[trial.number].params) == dict(trial.params):
                    continue
                self.forget(trial.number)
            self._known.append(_Known(trial.params, trial.sampled))

    def take(self, plans: Sequence[TrialPlan]) -> None:
        """Plans for the next numbers that another process worked out."""
        self._known += [_Known(plan.params, True) for plan in plans]

    def raised(self, total: int) -> None:
        """Batches go on to so many trials."""
        self._total = total

    def thinking(self) -> bool:
        """Whether the last plans asked for took too long to be given at once."""
        return self._thinking

    def close(self) -> None:
        """There is nothing to let go of."""

    def notes(self) -> dict[str, Any]:
        """Nothing to say."""
        return {}

    def _begin(self) -> History:
        learning = self._learning
        return History(
            ENGINES[learning.engine],
            learning.space,
            learning.directions,
            seed=learning.seed,
            options=learning.options,
            constrained=learning.constrained,
            warm=self._warm,
        )

    def forget(self, first: int) -> None:
        """Numbers from first on are open again."""
        self._thinking = False
        del self._known[first:]
        if len(self._history) > first:
            self._history = self._begin()

    def _seen_by(self, number: int) -> int:
        """How many trials are known with their results when a number is asked for."""
        return max(0, number // self._batch - 1) * self._batch

    def _catch_up(self, number: int, deadline: float) -> bool:
        """Bring the history to where it was, or would have been, when that number was asked for.

        Whether that, and working out a plan, may be done by the deadline.
        """
        for earlier in range(len(self._history), number):
            if time.monotonic() > deadline:
                return False
            self._show(earlier)
            known = self._known[earlier]
            as_planned = self._history.enter(known.params)
            if known.sampled and not as_planned and not self._warned:
                self._warned = True
                log.warning(
                    "trial %d was planned by another version of %s; the search goes on from what was planned",
                    earlier,
                    self._learning.engine,
                )
        self._show(number)
        return time.monotonic() <= deadline

    def _show(self, number: int) -> None:
        n_shown = self._history.n_shown
        if (n := self._seen_by(number)) > n_shown:
            self._history.show(self._told[n_shown:n])
