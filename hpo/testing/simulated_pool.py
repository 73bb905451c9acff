"""A worker pool without workers: the real protocol, and a formula in the place of training.

What a trial is worth is a function of its settings and the seed alone, as in real training; time does
not pass, every `poll` trains each running cohort for one epoch. It can be told to lose workers, to
run out of memory and to die, at exact moments.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from hpo.cohort import (
    CohortDone,
    CohortFailed,
    CohortHalted,
    CohortSaved,
    CohortTask,
    EpochResult,
    Report,
    ScoreDone,
    ScoreTask,
    Task,
)
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.fused.judging import Judge, metrics_of
from hpo.seeds import seed_of
from hpo.states import Reason, TrialState
from hpo.training import LaneSettings, shape_of
from hpo.trial import Curve, TrialResult
from hpo.workers.base import Slot
from hpo.workers.judging import Halted, judged

DIVERGES_AT = 10.0  # learning rate
EPOCH_S = 1.0  # what every epoch is said to take of each trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to the n-th cohort submitted (from 0), instead of the epoch's reports.

    reason: of CohortFailed, or `pool`: poll raises PoolError
    late: a last word of the attempt comes after its end, as from a worker that was thought dead
    """

    submission: int
    epoch: int = 1
    reason: str = Reason.LOST.value
    late: bool = False


@dataclass(slots=True)
class _Running:
    task: CohortTask
    fault: Fault | None
    judge: Judge
    epoch: int = 0
    cancelled: bool = False
    called_in: bool = False
    curves: dict[int, list[float]] = field(default_factory=dict)
    done: dict[int, TrialResult] = field(default_factory=dict)
    said: list[Report] = field(default_factory=list)
    listen: Callable[[EpochResult], Sequence[bool] | None] = field(init=False)

    def __post_init__(self) -> None:
        """Go on from checkpoints, if there are any, and judge as a worker does."""
        for saved in map(json.loads, self.task.checkpoints):
            self.epoch = saved["epoch"]
            known = {int(number): curve for number, curve in saved["curves"].items()}
            self.curves |= {number: known[number] for number in self.task.numbers if number in known}
        self.listen = judged(self.task, self._hear, self.curves)

    def _hear(self, result: EpochResult) -> Sequence[bool] | None:
        self.said.append(result)
        return [False] * len(result.numbers) if self.called_in else None

    @property
    def over(self) -> bool:
        """Whether every trial has ended."""
        return len(self.done) == len(self.task.numbers)


class SimulatedPool:
    """A deterministic WorkerPool.

    saves: a cohort says after every so many epochs where it stands; 0: never
    most_lanes: a cohort with more lanes is out of memory; deadly: trials whose worker dies after an epoch
    each_poll: called before the epochs of every poll: the place to interfere
    submitted: every task in order, as the tests look at it; data: what workers were given, by key
    """

    def __init__(
        self,
        *,
        n_slots: int = 2,
        most_lanes: int | None = None,
        faults: Sequence[Fault] = (),
        deadly: Sequence[int] = (),
        saves: int = 0,
        each_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._n_slots = n_slots
        self._deadly, self._saves = frozenset(deadly), saves
        self._most_lanes = most_lanes
        self._each_poll = each_poll
        self._faults: Mapping[int, Fault] = {fault.submission: fault for fault in faults}
        self._running: dict[int, _Running] = {}
        self._scores: list[ScoreTask] = []
        self._late: list[Report] = []
        self._n_cohorts = 0
        self.submitted: list[Task] = []
        self.data: dict[str, TrainingData] = {}

    def start(self) -> None:
        """There is nothing to start."""

    def slots(self) -> Sequence[Slot]:
        """The slots, the first ones busy."""
        tasks = [*self._running, *(task.id for task in self._scores)]
        return [
            Slot(
                id=f"slot-{place}",
                device="cpu",
                memory_bytes=2**30,
                task=tasks[place] if place < len(tasks) else None,
            )
            for place in range(self._n_slots)
        ]

    def put_data(self, key: str, data: TrainingData) -> None:
        """Keep the data. Raises PoolError when a key changes its data."""
        if self.data.setdefault(key, data) is not data:
            raise PoolError(f"data {key} is there already")

    def drop_data(self, key: str) -> None:
        """Forget the data. Raises PoolError while a cohort trains on it."""
        if any(running.task.data == key for running in self._running.values()):
            raise PoolError(f"data {key} is in use")
        self.data.pop(key, None)

    def room(self) -> int:
        """How many slots are free."""
        return self._n_slots - len(self._running) - len(self._scores)

    def submit(self, task: Task) -> None:
        """Take a task. Raises PoolError when no slot is free or the data is not there."""
        if not self.room():
            raise PoolError("no slot is free")
        self.submitted.append(task)
        if isinstance(task, ScoreTask):
            self._scores.append(task)
            return
        if task.data not in self.data:
            raise PoolError(f"no data is called {task.data}")
        if task.id in self._running:
            raise PoolError(f"cohort {task.id} runs already")
        self._running[task.id] = _Running(
            task=task,
            fault=self._faults.get(self._n_cohorts),
            judge=Judge(task, partial(_n_parameters, task, self.data[task.data])),
        )
        self._n_cohorts += 1

    def poll(self, timeout_s: float) -> list[Report]:
        """One epoch of every running cohort; never waits."""
        self._each_poll()
        reports, self._late = self._late, []
        for running in list(self._running.values()):
            reports += self._advance(running)
        for score in self._scores:
            reports.append(ScoreDone(id=score.id, scores=_scores(score)))
        self._scores.clear()
        return reports

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """An empty mask ends a cohort after its epoch; nothing is judged yet."""
        if cohort in self._running and not mask:
            self._running[cohort].called_in = True

    def cancel(self, cohort: int) -> None:
        """The next poll says that the cohort was cancelled; one that has ended is left in peace."""
        if cohort in self._running:
            self._running[cohort].cancelled = True

    def close(self) -> None:
        """Forget everything that runs."""
        self._running.clear()
        self._scores.clear()

    def _advance(self, running: _Running) -> list[Report]:
        task = running.task
        failed = self._failure(running)
        if failed is not None:
            del self._running[task.id]
            if running.fault is not None and running.fault.late:
                self._late.append(_done(running))
            return [failed]
        running.epoch += 1
        result = _epoch(running)
        try:
            mask = running.listen(result)
        except Halted:
            del self._running[task.id]
            return [*_heard(running), _halted(running)]
        dropped = [n for n, keep in zip(result.numbers, mask, strict=True) if not keep] if mask else []
        dropped = [number for number in dropped if number not in running.done]
        if dropped:
            running.done |= {number: _pruned(running, number) for number in dropped}
            ended = tuple(running.done[number] for number in dropped)
            running.listen(replace(result, numbers=(), values=(), best_values=(), ended=ended))
        reports = _heard(running)
        if running.over:
            del self._running[task.id]
            reports.append(_done(running))
        elif task.saving and self._saves and running.epoch % self._saves == 0:
            reports.append(_saved(running))
        return reports

    def _failure(self, running: _Running) -> CohortFailed | None:
        task, fault = running.task, running.fault
        reason = None
        if running.cancelled:
            reason = Reason.CANCELLED.value
        elif self._most_lanes is not None and len(task.lanes) > self._most_lanes:
            reason = Reason.OUT_OF_MEMORY.value
        elif fault is not None and running.epoch + 1 >= fault.epoch:
            reason = fault.reason
        elif running.epoch and not self._deadly.isdisjoint(task.numbers):
            reason = Reason.LOST.value
        if reason == "pool":
            raise PoolError("the workers cannot be started any more")
        if reason is None:
            return None
        return CohortFailed(cohort=task.id, attempt=task.attempt, reason=reason, detail=f"simulated {reason}")


def simulated_value(settings: LaneSettings, seed: int, repeat: int, epoch: int) -> float:
    """What a lane is worth after an epoch: smaller is better, best near a learning rate of 0.01."""
    noise = seed_of(seed, repeat, settings.learning_rate.hex(), settings.l2.hex()) / 2**64
    distance = abs(math.log10(settings.learning_rate) + 2.0) + settings.dropout
    return distance + 1.0 / epoch + 0.01 * noise


def _epoch(running: _Running) -> EpochResult:
    """The living trials' values, and those for which this epoch was the last."""
    task, epoch = running.task, running.epoch
    lanes: dict[int, list[float]] = {}
    last: dict[int, int] = {}
    diverged: set[int] = set()
    for lane in task.lanes:
        if lane.number in running.done:
            continue
        value = task.direction.sign * simulated_value(lane.settings, task.seed, lane.repeat, epoch)
        lanes.setdefault(lane.number, []).append(value)
        last[lane.number] = task.until or lane.settings.epochs
        if lane.settings.learning_rate >= DIVERGES_AT:
            diverged.add(lane.number)
    values = {number: sum(of) / len(of) for number, of in lanes.items()}
    ended = []
    for number, value in values.items():
        curve = running.curves.setdefault(number, [])
        curve.append(value)
        if number in diverged or epoch == last[number]:
            ended_now = _result(task, number, curve, number in diverged)
            running.done[number] = running.judge.judged(ended_now, EPOCH_S * epoch)
            ended.append(running.done[number])
    return EpochResult(
        cohort=task.id,
        attempt=task.attempt,
        epoch=epoch,
        numbers=tuple(values),
        values=tuple(values.values()),
        best_values=tuple(_best(task, running.curves[number])[0] for number in values),
        ended=tuple(ended),
    )


def _best(task: CohortTask, curve: Sequence[float]) -> tuple[float, int]:
    sign = task.direction.sign
    value = sign * min(sign * v for v in curve)
    return value, curve.index(value) + 1


def _result(task: CohortTask, number: int, curve: Sequence[float], diverged: bool) -> TrialResult:
    value, best_epoch = _best(task, curve)
    # Metrics beside the objective, where a task asks for any, are all alike.
    others = tuple(f"validation_{name}" for name in metrics_of(task)[1:])
    columns = ("train_loss", f"validation_{task.metric}", *others)
    block = array("f", (v for value in curve for v in (value,) * len(columns)))
    return TrialResult(
        number=number,
        state=TrialState.FAIL if diverged else TrialState.COMPLETE,
        reason=Reason.DIVERGED.at(len(curve)) if diverged else None,
        value=None if diverged else value,
        best_epoch=None if diverged else best_epoch,
        epochs=len(curve),
        curve=Curve(columns=columns, block=block),
        steps={len(curve): curve[-1]},
    )


def _pruned(running: _Running, number: int) -> TrialResult:
    result = _result(running.task, number, running.curves[number], diverged=False)
    return replace(result, state=TrialState.PRUNED, reason=f"pruned@{running.epoch}")


def _heard(running: _Running) -> list[Report]:
    """What the worker has said since the last time."""
    said = list(running.said)
    running.said.clear()
    return said


def _halted(running: _Running) -> CohortHalted:
    """The living trials as they stand."""
    task, done = running.task, _done(running)
    living = [number for number in task.numbers if number not in running.done]
    return CohortHalted(
        cohort=task.id,
        attempt=task.attempt,
        checkpoint=_checkpoint(running, living),
        standing=tuple(_pruned(running, number) for number in living),
        best_number=done.best_number,
        best_value=done.best_value,
        model=done.model,
        train_seconds=0.0,
        lane_steps=done.lane_steps,
    )


def _saved(running: _Running) -> CohortSaved:
    task = running.task
    living = [number for number in task.numbers if number not in running.done]
    return CohortSaved(
        cohort=task.id,
        attempt=task.attempt,
        epoch=running.epoch,
        numbers=tuple(living),
        checkpoint=_checkpoint(running, living),
    )


def _checkpoint(running: _Running, living: Sequence[int]) -> bytes:
    return json.dumps({"epoch": running.epoch, "curves": {n: running.curves[n] for n in living}}).encode()


def _done(running: _Running) -> CohortDone:
    task = running.task
    sign = task.direction.sign
    complete = [(value, number) for number, value in _first_values(running).items()]
    value, best = min(complete, key=lambda pair: (sign * pair[0], pair[1]), default=(None, None))
    model = None
    if value is not None and (task.beat is None or sign * value < sign * task.beat):
        model = json.dumps({"number": best, "value": value}).encode()
    return CohortDone(
        cohort=task.id,
        attempt=task.attempt,
        best_number=best,
        best_value=value,
        model=model,
        train_seconds=0.0,
        lane_steps=len(task.lanes) * running.epoch,
    )


def _first_values(running: _Running) -> dict[int, float]:
    """The first objective of each complete trial that meets the constraints."""
    complete = {n: r for n, r in running.done.items() if r.feasible and r.state is TrialState.COMPLETE}
    first = {n: r.first for n, r in complete.items()}
    return {number: value for number, value in first.items() if value is not None}


def _n_parameters(task: CohortTask, data: TrainingData, number: int) -> int:
    settings = next(lane.settings for lane in task.lanes if lane.number == number)
    return shape_of(task.shared, settings, data.n_features, data.n_classes).n_parameters


def _scores(task: ScoreTask) -> dict[str, float]:
    """The model's own value under every name: enough to see which model was scored."""
    value = float(json.loads(task.model)["value"])
    return dict.fromkeys(task.metrics, value)
