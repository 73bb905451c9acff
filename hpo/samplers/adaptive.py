"""Samplers that learn: Optuna's own, asked in batches, so that no plan depends on who finished first.

Trials of numbers b * batch … are asked for once all of batch b - 2 and earlier are told. Just these are
known with their results then, batch b - 1 is shown as still running, whatever else has ended meanwhile:
workers train one batch while the next is planned, and a plan is a function of the study file alone.
"""

from __future__ import annotations

import logging
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
    """Answers ask and tell by one of Optuna's samplers and a history in memory."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._batch = learning.batch
        self._known: list[_Known] = []  # by number
        self._told: list[Trial] = []  # by number
        self._warm: list[Trial] = []
        self._history = self._begin()

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first … first + n - 1, fewer where earlier batches must be told first.

        All lower numbers must be known. Asking once more for a number forgets what was proposed for it.
        """
        if first > len(self._known):
            raise SpecError(f"trial {len(self._known)} must be planned before trial {first} is asked for")
        self.forget(first)
        plans = []
        for number in range(first, first + n):
            if not self.is_due(number):
                break
            self._catch_up(number)
            params = self._history.propose()
            self._known.append(_Known(params, True))
            plans.append(TrialPlan(number=number, params=params))
        return plans

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

    def thinking(self) -> bool:
        """Never: plans are worked out while they are asked for."""
        return False

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
        del self._known[first:]
        if len(self._history) > first:
            self._history = self._begin()

    def _seen_by(self, number: int) -> int:
        """How many trials are known with their results when a number is asked for."""
        return max(0, number // self._batch - 1) * self._batch

    def _catch_up(self, number: int) -> None:
        """Bring the history to where it was, or would have been, when that number was asked for."""
        for earlier in range(len(self._history), number):
            self._show(earlier)
            known = self._known[earlier]
            if not self._history.enter(known.params) and known.sampled:
                log.warning(
                    "trial %d was planned by another version of %s; the search goes on from what was planned",
                    earlier,
                    self._learning.engine,
                )
        self._show(number)

    def _show(self, number: int) -> None:
        n_shown = self._history.n_shown
        if (n := self._seen_by(number)) > n_shown:
            self._history.show(self._told[n_shown:n])
