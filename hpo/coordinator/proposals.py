"""The sampler's side of a study: which numbers come next, and finished trials told in order of number."""

from __future__ import annotations

from collections.abc import Iterable

from hpo.samplers.base import Sampler
from hpo.space import Params
from hpo.trial import Trial, TrialPlan, TrialResult


class Proposals:
    """Asks a sampler for consecutive numbers up to a total and tells it what became of them.

    planned: trials that have a number already
    """

    def __init__(self, sampler: Sampler, *, planned: int, total: int) -> None:
        self._sampler = sampler
        self._next = planned
        self._total = total
        self._asked: list[TrialPlan] = []  # from _next on; a sampler is asked for a number once
        self._told = 0
        self._held: dict[int, Trial] = {}  # finished before one of a lower number

    @property
    def remaining(self) -> int:
        """Trials without a number yet; fewer may come."""
        return max(0, self._total - self._next)

    def peek(self, n: int) -> list[TrialPlan]:
        """The next plans, at most n; none when there are no more, or when finished trials must be told first."""
        missing = min(n, self.remaining) - len(self._asked)
        if missing > 0:
            self._asked += self._sampler.ask(self._next + len(self._asked), missing)
        return self._asked[:n]

    def planned(self, n: int) -> None:
        """The next n numbers are taken."""
        self._next += n
        del self._asked[:n]

    def finished(self, trials: Iterable[Trial]) -> None:
        """Finished trials in any order; those whose predecessors are all finished are told."""
        for trial in trials:
            if trial.number >= self._told:
                self._held[trial.number] = trial
        ready: list[Trial] = []
        while self._told in self._held:
            ready.append(self._held.pop(self._told))
            self._told += 1
        if ready:
            self._sampler.tell(ready)


def told_trial(result: TrialResult, params: Params, cohort: int) -> Trial:
    """A finished trial as samplers are told of it."""
    return Trial(
        number=result.number,
        state=result.state,
        reason=result.reason,
        value=result.value,
        stderr=result.stderr,
        params=params,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        retry_of=None,
        cohort=cohort,
        started_at=None,
        finished_at=None,
        facts=result.facts,
        values=result.values,
        feasible=result.feasible,
        lineage=result.lineage,
    )
