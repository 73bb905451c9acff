"""Give work to the pool: a new attempt at its cohort, its data, its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from hpo.coordinator.brackets import Referee
from hpo.coordinator.flight import Flight, TaskMaker
from hpo.coordinator.results import Results
from hpo.coordinator.saved import rate
from hpo.coordinator.work import Work
from hpo.coordinator.writer import Writer
from hpo.dataset import PreparedData
from hpo.storage.base import Claim, Storage
from hpo.workers.base import WorkerPool

FIRST_TASK = -10  # tasks of which several train one cohort have ids from here downwards


@dataclass(kw_only=True)
class Launcher:
    """Hands work of one study to a pool. Any call may raise LeaseLost, PoolError.

    keys: of data that the pool has
    """

    storage: Storage
    write: Writer
    claim: Claim
    pool: WorkerPool
    maker: TaskMaker
    data: PreparedData
    keys: set[str]
    referee: Referee
    results: Results
    _tasks: Iterator[int] = field(default_factory=lambda: count(FIRST_TASK, -1))

    def start(self, work: Work) -> None:
        """Begin a new attempt at a cohort, but for works that train shares of one that has begun."""
        contest = work.contest
        if contest is not None and contest.started:
            work.cohort = contest.cohort
            return
        work.cohort = self.write(lambda: self.storage.start_cohort(self.claim, work.cohort.id))
        if contest is not None:
            contest.cohort, contest.started = work.cohort, True

    def launch(self, work: Work) -> Flight:
        """Give the next part of a started work to a free slot."""
        part = work.parts.popleft()
        flight = Flight(
            work=work,
            part=part,
            attempt=work.cohort.attempt,
            living={trial.number: trial for trial in part},
            task=None if work.contest is None else next(self._tasks),
        )
        task = self.maker.task(flight.id, flight.attempt, part, kept=self.results.kept)
        if work.contest is None or work.contest.open == 1:  # of several works of a cohort nothing is kept
            task = replace(task, saving=rate(len(self.pool.slots())))
        self.give_data(part[0].shared.scaling)
        self.pool.submit(self.referee.instruct(work, task))
        return flight

    def give_data(self, scaling: str, *, refit: bool = False) -> None:
        """See to it that workers have the training rows of a scaling; never any test rows."""
        key = self.maker.data_key(scaling, refit=refit)
        if key not in self.keys:
            source = self.data.refit if refit else self.data.scaled
            self.pool.put_data(key, source[scaling].training)
            self.keys.add(key)
