"""A stored cohort while this coordinator trains it: its parts, its attempts, its results not yet written."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache

from hpo.cohort import CohortTask, EpochResult, LaneTask
from hpo.coordinator.feasibility import feasibility_of
from hpo.coordinator.planner import Part, ReadyTrial, n_folds, refits
from hpo.coordinator.populations import evolution_of, until_of
from hpo.coordinator.work import Work
from hpo.dataset import DatasetInfo
from hpo.settings import EXACT
from hpo.states import Reason, TrialState
from hpo.study import Direction, StudySpec
from hpo.trial import TrialResult

WRITE_EVERY_S = 1.0
MOST_STEPS = 20  # points of a trial in Optuna's table


@dataclass(slots=True)
class Flight:
    """A part of a cohort that is with a worker now. task: its id, where it is not the cohort's"""

    work: Work
    part: Part
    attempt: int
    living: dict[int, ReadyTrial]
    ended: list[TrialResult] = field(default_factory=list)
    steps: dict[int, dict[int, float]] = field(default_factory=dict)
    epoch: int = 0
    written_epoch: int = 0
    written_at: float = field(default_factory=time.monotonic)
    called_in: bool = False  # its time is over: what still trains ends with its best so far
    withdrawn: bool = False  # it is not to begin: its trials end with the study
    task: int | None = None
    kind: str | None = None  # of the device that trains it, once that is known

    @property
    def cohort(self) -> int:
        """The stored cohort's id."""
        return self.work.cohort.id

    @property
    def id(self) -> int:
        """The task's id: the cohort's, unless several tasks train that at once."""
        return self.cohort if self.task is None else self.task

    def take(self, result: EpochResult) -> None:
        """Note an epoch: who ended, and one step a second of the others for those who watch."""
        self.epoch = result.epoch
        last = self.called_in and self.living.keys() <= {ended.number for ended in result.ended}
        for ended in result.ended:
            if self.living.pop(ended.number, None) is not None:
                self.ended.append(_timed_out(ended) if last else ended)
                self.steps.pop(ended.number, None)
        for number, value in zip(result.numbers, result.values, strict=True):
            trial = self.living.get(number)
            if trial is not None and result.epoch in steps_shown(trial.lane.epochs):
                self.steps.setdefault(number, {})[result.epoch] = value

    def is_due(self) -> bool:
        """Whether there is something to write and the last write is long enough ago."""
        news = bool(self.ended) or self.epoch > self.written_epoch
        return news and time.monotonic() - self.written_at >= WRITE_EVERY_S

    def written(self) -> None:
        """All that there was has been written."""
        self.ended, self.steps = [], {}
        self.written_epoch = self.epoch
        self.written_at = time.monotonic()

    def fail_living(self, reason: Reason) -> None:
        """Everything about trials that will not end by themselves."""
        self.ended += [
            TrialResult(number=number, state=TrialState.FAIL, reason=reason.value) for number in self.living
        ]
        self.living = {}


def has_room(work: Work, flights: Collection[Flight], most: int | None) -> bool:
    """Whether a cohort may begin beside those that train, where at most so many trials train at once."""
    if most is None or not flights or not work.parts:
        return True
    return sum(len(flight.living) for flight in flights) + len(work.parts[0]) <= most


def _timed_out(ended: TrialResult) -> TrialResult:
    """The end of a trial that was called in; one that came to its own end at that moment keeps it."""
    if ended.reason != f"pruned@{ended.epochs}":
        return ended
    return replace(ended, reason=Reason.WALL_TIME.at(ended.epochs))


@cache
def steps_shown(epochs: int) -> frozenset[int]:
    """The epochs, 20 at most, that Optuna's table shows of a trial while it runs: those its result will have.

    >>> sorted(steps_shown(100))[:3], sorted(steps_shown(3))
    ([1, 6, 11], [1, 2, 3])
    """
    if epochs <= MOST_STEPS:
        return frozenset(range(1, epochs + 1))
    return frozenset(1 + round(i * (epochs - 1) / (MOST_STEPS - 1)) for i in range(MOST_STEPS))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMaker:
    """Makes the messages to workers of one study."""

    spec: StudySpec
    info: DatasetInfo
    metric: str
    direction: Direction
    precision: str = EXACT

    def data_key(self, scaling: str, *, refit: bool = False) -> str:
        """The name under which workers know the study's data of one input scaling.

        refit: all rows but the test rows instead
        """
        prepared = hashlib.sha256(repr((self.spec.data, self.spec.seed)).encode()).hexdigest()[:12]
        return f"{self.info.sha256[:16]}-{scaling}-{prepared}{'-refit' if refit else ''}"

    def task(
        self, task_id: int, attempt: int, part: Part, *, kept: tuple[float, int] | None = None
    ) -> CohortTask:
        """The message that trains a part. kept: value and number of the model there is already."""
        shared = part[0].shared
        feasibility = feasibility_of(self.spec, self.info)
        lanes = tuple(
            LaneTask(number=trial.number, repeat=repeat, fold=fold, settings=trial.lane)
            for trial in part
            for repeat in range(self.spec.repeats)
            for fold in range(n_folds(self.spec))
        )
        return CohortTask(
            id=task_id,
            attempt=attempt,
            data=self.data_key(shared.scaling),
            shared=shared,
            lanes=lanes,
            seed=self.spec.seed,
            metric=self.metric,
            direction=self.direction,
            precision=self.precision,
            beat=self._to_beat(part, kept),
            objectives=self.spec.objectives,
            constraints=feasibility.after,
            known={trial.number: feasibility.known(trial, feasibility.after) for trial in part}
            if feasibility.after
            else {},
            on_diverged=self.spec.objective.on_diverged if self.spec.objective else "fail",
            until=until_of(self.spec),
            evolution=evolution_of(self.spec, part),
        )

    def refit_task(self, task_id: int, trial: ReadyTrial, epochs: int) -> CohortTask:
        """The message that trains a network for each repeat of a trial anew, on all rows but the test rows.

        epochs: how many; the schedule of the learning rate stays that of the trial
        """
        task = self.task(task_id, 1, (trial,))
        return replace(
            task,
            data=self.data_key(trial.shared.scaling, refit=True),
            lanes=tuple(lane for lane in task.lanes if lane.fold == 0),
            beat=None,
            until=epochs,
        )

    def _to_beat(self, part: Part, kept: tuple[float, int] | None) -> float | None:
        """The value to beat; the next worse number when an equal value of a lower number would do."""
        if refits(self.spec):  # weights of a fold, or of fewer rows, are not the study's model
            return -self.direction.sign * math.inf
        if kept is None:
            return None
        value, number = kept
        if part[0].number < number:
            return math.nextafter(value, self.direction.sign * math.inf)
        return value
