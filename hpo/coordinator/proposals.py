"""What is proposed for the next numbers, the queue before the sampler, and finished trials told in order of number."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hpo.errors import SamplerFailed
from hpo.samplers.base import Learner, Sampler
from hpo.space import Params
from hpo.states import TrialState
from hpo.trial import Queued, Trial, TrialPlan, TrialResult

log = logging.getLogger(__name__)

# A setting in which something is left out -> the whole of it, for the trial of a number.
Fill = Callable[[int, Params], Params]


def as_given(_number: int, params: Params) -> Params:
    """Settings in which nothing is left out."""
    return params


class Proposals:
    """Fills consecutive numbers up to a total, from the queue, else by the sampler, which is told what came of them.

    planned: trials that have a number already
    """

    def __init__(self, sampler: Sampler, *, planned: int, total: int, fill: Fill = as_given) -> None:
        self._sampler = sampler
        self._next = planned
        self._fill = fill
        self._place = planned  # plans that the sampler gave for lower numbers
        self._queue: deque[Queued] = deque()
        self._newest = 0  # the highest id in the queue so far: ids ascend
        self._asked: list[TrialPlan] = []  # from _next on; a sampler is asked for a number once
        self._told = 0
        self._failed: SamplerFailed | None = None
        self._held: dict[int, Trial] = {}  # finished before one of a lower number
        self._raised(total)

    def _raised(self, total: int) -> None:
        self._total = total
        if isinstance(self._sampler, Learner):
            self._sampler.raised(total)

    @property
    def remaining(self) -> int:
        """Trials without a number yet; fewer may come."""
        return max(0, self._total - self._next)

    def peek(self, n: int) -> list[TrialPlan]:
        """The next plans, at most n; none when there are no more, or when finished trials must be told first."""
        missing = min(n, self.remaining) - len(self._asked)
        if missing > 0:
            self._ask(missing)
        return self._asked[:n]

    def _ask(self, n: int) -> None:
        """Settings of the queue take the next numbers, the sampler's plans the rest."""
        for _ in range(min(n, len(self._queue))):
            entry, number = self._queue.popleft(), self._next + len(self._asked)
            params = self._fill(number, entry.params)
            plan = TrialPlan(number=number, params=params, retry_of=entry.retry_of, queued=entry.id)
            self._asked.append(plan)
            if isinstance(self._sampler, Learner):
                self._sampler.planned([running_trial(plan)])
            n -= 1
        if n > 0 and self._failed is None:
            plans = self._from_sampler(n)
            self._place += len(plans)
            self._asked += plans

    def _from_sampler(self, n: int) -> list[TrialPlan]:
        """Its plans; none once it fails: what has begun ends, and the queue is trained, before `check` says so."""
        try:
            return self._sampler.ask(self._next + len(self._asked), n, self._place)
        except SamplerFailed as error:
            log.warning("%s; trials that have begun end first", error.detail)
            self._failed = error
            return []

    def check(self) -> None:
        """Raises SamplerFailed when the sampler has failed."""
        if self._failed is not None:
            raise self._failed

    def enqueued(self, queue: Sequence[Queued], *, total: int) -> None:
        """The queue as it is stored, and the total. What was proposed already keeps its number."""
        self._raised(total)
        for entry in queue:
            if entry.id > self._newest:
                self._queue.append(entry)
                self._newest = entry.id

    def stored(self, trials: Iterable[Trial]) -> None:
        """Trials that earlier drivers planned: those that were enqueued are no plans of the sampler."""
        self._place -= sum(not trial.sampled for trial in trials)

    @property
    def thinking(self) -> bool:
        """Whether the sampler is working out plans that will come without anything being told."""
        more = self.remaining > len(self._asked)
        return more and isinstance(self._sampler, Learner) and self._sampler.thinking()

    def warm(self, trials: Sequence[Trial]) -> None:
        """Finished trials of other studies, for a sampler that learns."""
        if isinstance(self._sampler, Learner):
            self._sampler.warm(trials)

    def begun(self, unfinished: Iterable[Trial]) -> None:
        """Trials that earlier drivers planned and that have not ended: a sampler that learns must know of
        them, and of those that ended before one of a lower number."""
        if isinstance(self._sampler, Learner):
            left = {trial.number: trial for trial in (*self._held.values(), *unfinished)}
            self._sampler.planned([left[number] for number in sorted(left)])

    def close(self) -> None:
        """Nothing more will be asked."""
        if isinstance(self._sampler, Learner):
            self._sampler.close()

    def planned(self, n: int) -> None:
        """The next n numbers are taken."""
        self._next += n
        del self._asked[:n]

    def notes(self) -> Mapping[str, Any]:
        """What the sampler decided."""
        return self._sampler.notes()

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


def running_trial(plan: TrialPlan) -> Trial:
    """A planned trial as it is until it ends."""
    return Trial(
        number=plan.number,
        state=TrialState.RUNNING,
        params=plan.params,
        retry_of=plan.retry_of,
        budget=plan.epochs,
        sampled=plan.queued is None,
    )


def told_trial(result: TrialResult, running: Trial, cohort: int) -> Trial:
    """A finished trial as samplers are told of it."""
    return running._replace(
        state=result.state,
        reason=result.reason,
        value=result.value,
        stderr=result.stderr,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        cohort=cohort,
        facts=result.facts,
        values=result.values,
        feasible=result.feasible,
        lineage=result.lineage,
    )
