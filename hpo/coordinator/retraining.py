"""Train finished trials once more for their weights: the best one at a study's end, any other when somebody asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hpo.cohort import CohortDone, CohortFailed, EpochResult, Report, ScoreDone, Task
from hpo.coordinator.flight import TaskMaker
from hpo.coordinator.planner import Resolver, refits
from hpo.coordinator.populations import once_more
from hpo.dataset import PreparedData
from hpo.errors import NotRepeatable, SpecError
from hpo.service.kept_models import check_repeatable, with_preparation
from hpo.service.same_data import check_data
from hpo.settings import EXACT
from hpo.states import Reason
from hpo.storage.base import Storage, StoredModel, TrialQuery
from hpo.study import StudySpec
from hpo.trial import Trial
from hpo.workers.base import WorkerPool

# Ids of tasks that are no stored cohorts; those are positive.
MODEL_TASK = -1

RETRIES = 2
POLL_S = 0.2

# How far the value of a trial that is trained again may be off where bits are not promised: on a GPU and in fast mode.
TOLERANCE = 1e-3


class Job(Protocol):
    """A study with its data; `loop.Job` is one."""

    @property
    def name(self) -> str:
        """Its name in the storage."""

    @property
    def spec(self) -> StudySpec:
        """Its completed study file."""

    @property
    def data(self) -> PreparedData:
        """Its data, ready for training."""


@dataclass(kw_only=True)
class Solo:
    """Does tasks that run alone, one after the other, each by whichever slot is free first.

    heed: called again and again while it waits; what it raises ends the task
    """

    pool: WorkerPool
    retries: int
    poll_s: float
    heed: Callable[[], None]
    reason: str | None = None  # how the last trial ended that was trained here

    def run(self, task: Task) -> Report:
        """The last report of a task; a lost worker is replaced `retries` times. Raises PoolError."""
        report = self._run_once(task)
        for _ in range(self.retries):
            if not (isinstance(report, CohortFailed) and report.reason == Reason.LOST):
                break
            report = self._run_once(task)
        return report

    def _run_once(self, task: Task) -> Report:
        while not self.pool.room():
            self.heed()
            self.pool.poll(self.poll_s)
        self.pool.submit(task)
        self.reason = None
        ended = False
        try:
            while True:
                self.heed()
                for report in self.pool.poll(self.poll_s):
                    if isinstance(report, EpochResult) and report.cohort == task.id and report.ended:
                        self.reason = report.ended[0].reason
                    if _is_last_of(task, report):
                        ended = True
                        return report
        finally:
            if not ended:  # paused, or the lease is lost
                self.pool.cancel(task.id)

    def detail(self, report: Report) -> str:
        """Why a task gave nothing, in a few words."""
        if isinstance(report, CohortFailed):
            return report.detail or report.reason
        return "no model came back" if self.reason is None else f"it ended {self.reason}"


def _is_last_of(task: Task, report: Report) -> bool:
    if isinstance(report, ScoreDone):
        return report.id == task.id
    return isinstance(report, CohortDone | CohortFailed) and report.cohort == task.id


@dataclass(kw_only=True)
class OnceMore:
    """Trains finished trials of one study once more, each alone, to the weights that its value belongs to.

    trials: gives the stored trials of so many numbers from a first one on
    give_data: sees to it that workers have the rows of an input scaling, to refit or not
    say: shows a sentence to whoever watches
    """

    spec: StudySpec
    data: PreparedData
    resolver: Resolver
    maker: TaskMaker
    solo: Solo
    trials: Callable[[int, int], Sequence[Trial]]
    give_data: Callable[[str, bool], None]
    say: Callable[[str], None]

    def train(self, trial: Trial, *, checked: bool = False) -> StoredModel:
        """The trial's model. checked: its value must be the stored one, to the bit where bits are promised.

        Raises NotRepeatable with the reason when no such model comes back; PoolError.
        """
        try:
            ready, evolution = once_more(self.spec, self.resolver, trial, self.trials)
        except SpecError as error:
            raise NotRepeatable(f"cannot be trained again: {error.detail}") from error
        refit, where = refits(self.spec), "again"
        self.give_data(ready.shared.scaling, refit)
        if refit:
            where = f"anew on all {self.data.info.n_rows - self.data.info.n_test:,} rows but the test rows"
            self.say(f"training trial {trial.number} {where}")
            task = self.maker.refit_task(MODEL_TASK, ready, trial.best_epoch or 1)
        else:
            # It has been judged; a constraint on seconds might come out otherwise this time.
            task = replace(self.maker.task(MODEL_TASK, 1, (ready,)), constraints=(), until=trial.best_epoch)
        if evolution is not None:
            task = replace(task, evolution=evolution, until=trial.best_epoch)
        report = self.solo.run(task)
        if not isinstance(report, CohortDone) or report.model is None or trial.first is None:
            raise NotRepeatable(f"could not be trained {where}: {self.solo.detail(report)}")
        if checked and not refit and not self._same(report.best_value, trial.first):
            raise NotRepeatable(
                f"came out as {report.best_value!r} when it was trained again, not as {trial.first!r}: the "
                "machine, the device, the precision or the version of torch is another one"
            )
        data = with_preparation(report.model, self.data.preparation(ready.shared.scaling, refit=refit))
        return StoredModel(number=trial.number, value=trial.first, data=data)

    def _same(self, found: float | None, wanted: float) -> bool:
        """Whether a value is that of the first training, as nearly as it can be."""
        bits = self.maker.precision == EXACT and all(slot.device == "cpu" for slot in self.solo.pool.slots())
        return found is not None and math.isclose(found, wanted, rel_tol=0.0 if bits else TOLERANCE)


def retrain(
    storage: Storage,
    pool: WorkerPool,
    job: Job,
    number: int,
    *,
    heed: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> StoredModel:
    """The model of a finished trial that was not kept: trained once more, and the value must be the same (on a GPU
    and in fast mode, where bits are not promised: to TOLERANCE of it).

    The pool gives it one slot. heed: called while it trains; what it raises ends it. Nothing is stored.
    Raises StudyNotFound, TrialNotFound; NotRepeatable with the reason; DataChanged; PoolError.
    """
    study = storage.get_study(job.name)
    trial = storage.get_trial(job.name, number)
    check_repeatable(study, trial)
    check_data(study, job.data.info)
    precision = study.versions.get("precision", EXACT)
    maker = TaskMaker(
        spec=job.spec,
        info=job.data.info,
        metric=study.metric,
        direction=study.direction,
        precision=precision,
    )

    def give_data(scaling: str, refit: bool) -> None:
        source = job.data.refit if refit else job.data.scaled
        pool.put_data(maker.data_key(scaling, refit=refit), source[scaling].training)

    again = OnceMore(
        spec=job.spec,
        data=job.data,
        resolver=Resolver(job.spec, job.data.info),
        maker=maker,
        solo=Solo(pool=pool, retries=RETRIES, poll_s=POLL_S, heed=heed),
        trials=lambda first, n: storage.trials(job.name, TrialQuery(limit=n, offset=first)),
        give_data=give_data,
        say=say,
    )
    try:
        return again.train(trial, checked=True)
    except NotRepeatable as error:
        raise NotRepeatable(f"trial {number} of study {job.name!r} {error.detail}") from error
