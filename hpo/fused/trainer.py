"""Train a cohort: the one loop over epochs, from a task and its data to results and the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from hpo.cohort import CohortTask, EpochResult, LaneTask
from hpo.dataset import TrainingData
from hpo.errors import SpecError
from hpo.fused import checkpoint
from hpo.fused.copying import check_copy, other_parameters
from hpo.fused.judging import Judge, metrics_of
from hpo.fused.lanes import LaneGroup, Measures, Recipe, kind_of
from hpo.fused.layers import LaneWeights
from hpo.fused.metrics import curve_columns, curve_metrics
from hpo.fused.recording import Recorder, recorder_of
from hpo.fused.stopping import Progress
from hpo.settings import FAST
from hpo.states import TrialState
from hpo.training import LaneSettings, shape_of
from hpo.trial import TrialResult

Report = Callable[[EpochResult], Sequence[bool] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of a cohort besides the results already reported.

    best_number, best_value: of its best COMPLETE trial, None when there is none
    best_lanes: that trial's weights at its best epoch; None when it is worse than the task's `beat`
    best_settings: the settings it had then
    lane_steps: lanes times steps trained by this call
    """

    best_number: int | None
    best_value: float | None
    best_lanes: tuple[LaneWeights, ...] | None
    lane_steps: int
    best_settings: LaneSettings | None = None


class Trainer:
    """A cohort on one device. Raises UnknownName for a name no table has.

    dtype: float32, or float64 to tell rounding from error
    recorder: how epochs are recorded; unless given, as CUDA graphs on a GPU and not at all on a CPU
    """

    def __init__(
        self,
        task: CohortTask,
        data: TrainingData,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        recorder: Callable[[], Recorder] | None = None,
    ) -> None:
        self.task, self.epoch, self.lane_steps = task, 0, 0
        self._pending: list[TrialResult] = []  # results for the next report
        self._bad: set[int] = set()  # trials that diverged in the last epoch
        self._recipe = Recipe(
            shared=task.shared,
            data=data,
            metrics=curve_metrics(metrics_of(task), data.n_classes),
            seed=task.seed,
            device=torch.device(device),
            dtype=dtype,
            recorder=recorder or recorder_of(torch.device(device)),
            fast=task.precision == FAST and torch.device(device).type == "cpu",
        )
        columns = curve_columns(metrics_of(task), data.n_classes)
        self._ends = Judge(task, self._n_parameters)
        settings = {lane.number: lane.settings for lane in reversed(task.lanes)}
        self.trials = {
            number: Progress(
                number=number,
                settings=settings[number],
                direction=task.direction,
                columns=columns,
                until=task.until,
            )
            for number in task.numbers
        }
        self.groups = self.grouped(task.lanes)
        self.best: tuple[Progress, tuple[LaneWeights, ...]] | None = None
        if task.checkpoints:
            checkpoint.load(self, task.checkpoints)
            ended = self._ended()  # by itself, after a judgement that was not heard yet
            self._drop(ended)
            self._pending = list(ended.values())

    def checkpoint(self) -> bytes:
        """The state after the last epoch reported, for a task that goes on from there. No pickle."""
        return checkpoint.save(self)

    @property
    def n_bytes(self) -> int:
        """About what a checkpoint has."""
        tensors = [t for group in self.groups for t in (group.flat, group.best, *group.states)]
        return sum(tensor.nbytes for tensor in tensors)

    def standing(self) -> tuple[TrialResult, ...]:
        """What each living trial would be, were it pruned after the last epoch reported."""
        return tuple(self._judged(trial.pruned(), trial) for trial in self.trials.values())

    def grouped(self, lanes: Iterable[LaneTask]) -> list[LaneGroup]:
        """Untrained groups of these lanes: one for each repeat, fold and kind of network."""
        together: dict[tuple[int, int, str], list[LaneTask]] = {}
        for lane in lanes:
            together.setdefault((lane.repeat, lane.fold, kind_of(self._recipe, lane)), []).append(lane)
        return [LaneGroup(self._recipe, members) for _, members in sorted(together.items())]

    def copy(self, sources: Mapping[int, int], settings: Mapping[int, LaneSettings]) -> None:
        """Between two epochs: let living trials (keys) go on from where others are, with settings of their own.

        What a trial has shown so far stays its own. Raises SpecError, before anything is changed, when settings
        do not go with what is taken over.
        """
        for to, source in sources.items():
            check_copy(self.trials[source].settings, settings[to])
            if other_parameters(self.trials[to].settings, settings[to]):
                raise SpecError(
                    "a copied lane cannot become maxout or prelu, or stop being it",
                    field="parameters.activation",
                )
        groups = [group for group in self.groups if group.lanes]
        if any(self._moves(group, sources, settings) for group in groups):
            self._regroup(groups, sources, settings)
        else:
            for group in groups:
                places = {lane.number: place for place, lane in enumerate(group.lanes)}
                copied = [to for to in sources if to in places]
                pairs = [(places[sources[to]], places[to]) for to in copied]
                group.copy(pairs, [settings[to] for to in copied])
        for to in sources:
            self.trials[to].settings = settings[to]

    def _moves(
        self, group: LaneGroup, sources: Mapping[int, int], settings: Mapping[int, LaneSettings]
    ) -> bool:
        """Whether a lane would come to this group from another, or leave it."""
        members = {lane.number for lane in group.lanes}
        kind = kind_of(self._recipe, group.lanes[0])
        return any(
            sources[lane.number] not in members
            or kind_of(self._recipe, replace(lane, settings=settings[lane.number])) != kind
            for lane in group.lanes
            if lane.number in sources
        )

    def _regroup(
        self, groups: Sequence[LaneGroup], sources: Mapping[int, int], settings: Mapping[int, LaneSettings]
    ) -> None:
        """Copy where kinds of lanes change: make groups anew, and fill them from the old ones."""
        old = {
            (lane.number, lane.repeat, lane.fold): (group, place)
            for group in groups
            for place, lane in enumerate(group.lanes)
        }
        self.groups = self.grouped(
            replace(lane, settings=settings.get(lane.number, lane.settings))
            for group in groups
            for lane in group.lanes
        )
        for group in self.groups:
            group.steps_done = group.steps_per_epoch * self.epoch
            for place, lane in enumerate(group.lanes):
                source = sources.get(lane.number, lane.number)
                own = old[lane.number, lane.repeat, lane.fold]
                group.take_over(place, old[source, lane.repeat, lane.fold], own)

    def run(self, report: Report, settled: Callable[[], None] = lambda: None) -> Trained:
        """Train until every trial has ended; report each epoch and heed the mask that comes back.

        settled: called after each epoch when it is known who goes on: the moment to take a checkpoint

        An unjudged cohort reports a trial's end with its last epoch. A judged one must hear the mask
        first, so ends after a mask come with the next report, or with a last one that has no numbers.
        Whatever `report` raises goes through, and the cohort may be resumed from its checkpoint.
        """
        while self.trials:
            self.epoch += 1
            numbers = tuple(self.trials)
            began = time.monotonic()
            values = self._train_epoch()
            self._share(time.monotonic() - began)
            ended = self._diverged()
            if not self.task.judged:
                ended |= self._ended()
            best = tuple(self.trials[number].best for number in numbers)
            self._drop(ended)
            mask = report(self._result(numbers, values, best, (*self._pending, *ended.values())))
            self._pending = self._judge(numbers, mask)
            settled()
        if self._pending:
            report(self._result((), (), (), tuple(self._pending)))
        return self.trained()

    def _result(
        self,
        numbers: tuple[int, ...],
        values: tuple[float, ...],
        best: tuple[float, ...],
        ended: tuple[TrialResult, ...],
    ) -> EpochResult:
        return EpochResult(
            cohort=self.task.id,
            attempt=self.task.attempt,
            epoch=self.epoch,
            numbers=numbers,
            values=values,
            best_values=best,
            ended=ended,
        )

    def _judge(self, numbers: Sequence[int], mask: Sequence[bool] | None) -> list[TrialResult]:
        """After a report: end what the mask drops, then, in a judged cohort, what ends by itself."""
        keep = dict(zip(numbers, mask, strict=True)) if mask is not None else {}
        ended = {n: self._judged(t.pruned(), t) for n, t in self.trials.items() if not keep.get(n, True)}
        self._drop(ended)
        if self.task.judged:
            by_itself = self._ended()
            self._drop(by_itself)
            ended |= by_itself
        return list(ended.values())

    def _train_epoch(self) -> tuple[float, ...]:
        """One epoch of every lane; record it, and keep the weights of trials at their best."""
        groups = [group for group in self.groups if group.lanes]
        measures = [group.train_epoch(self.epoch) for group in groups]
        for group in groups:
            living = sum(lane.number in self.trials for lane in group.lanes)
            self.lane_steps += living * group.steps_per_epoch
        rows, self._bad = _by_trial(groups, measures)
        if self.epoch == 1:
            self._note_start(measures)
        objective = 1 + len(measures[0].train[0])  # the column after validation_loss
        better = {
            number
            for number, trial in self.trials.items()
            if trial.record(rows[number], [row[objective] for row in rows[number]])
        }
        for group in groups:
            group.remember([place for place, lane in enumerate(group.lanes) if lane.number in better])
        return tuple(trial.values[-1] for trial in self.trials.values())

    def _note_start(self, measures: Sequence[Measures]) -> None:
        """What is known of each trial after its first batch, mean over its lanes."""
        known: dict[int, list[dict[str, float]]] = {}
        for group, measured in zip(self.groups, measures, strict=True):
            for lane, first in zip(group.lanes, measured.first.tolist(), strict=True):
                untrained, chance = group.levels(lane.settings)
                known.setdefault(lane.number, []).append(
                    {"initial_loss": first, "untrained_loss": untrained, "chance_loss": chance}
                )
        for number, lanes in known.items():
            self.trials[number].start = {
                name: math.fsum(lane[name] for lane in lanes) / len(lanes) for name in lanes[0]
            }

    def _diverged(self) -> dict[int, TrialResult]:
        on = self.task.on_diverged
        return {n: self._judged(t.diverged(on), t) for n, t in self.trials.items() if n in self._bad}

    def _ended(self) -> dict[int, TrialResult]:
        """Trials that have stopped early or trained all their epochs; the best of them leaves its weights."""
        ended: dict[int, TrialResult] = {}
        for number, trial in self.trials.items():
            result = trial.ended() if number not in self._bad else None
            if result is not None:
                ended[number] = result = self._judged(result, trial)
                if result.state is TrialState.COMPLETE and result.feasible and self.is_best(trial):
                    self.best = trial, self._weights_of(number)
        return ended

    def _judged(self, result: TrialResult, trial: Progress) -> TrialResult:
        """A result with what the task's objectives and constraints make of it; a refit has neither."""
        return result if self.task.until is not None else self._ends.judged(result, trial.seconds)

    def _n_parameters(self, number: int) -> int:
        """What training moves in a trial's network."""
        data = self._recipe.data
        settings = self.trials[number].settings
        return shape_of(self.task.shared, settings, data.n_features, data.n_classes).n_parameters

    def _share(self, seconds: float) -> None:
        """Divide the time of an epoch among the trials that trained in it."""
        if self._ends.timed:
            for trial in self.trials.values():
                trial.seconds += seconds / len(self.trials)

    def is_best(self, trial: Progress) -> bool:
        """Whether a trial beats the cohort's best so far; of equals the lower number does."""
        if self.best is None:
            return True
        held, sign = self.best[0], self.task.direction.sign
        return (sign * trial.best, trial.number) < (sign * held.best, held.number)

    def _weights_of(self, number: int) -> tuple[LaneWeights, ...]:
        return tuple(
            group.lane_weights(group.best, place)
            for group in self.groups
            for place, lane in enumerate(group.lanes)
            if lane.number == number
        )

    def _drop(self, ended: dict[int, TrialResult]) -> None:
        """Let go of the lanes of ended trials.

        Where epochs are recorded, other lanes mean another recording: there ended ones train on, unheeded,
        until they are half of a group.
        """
        if not ended:
            return
        for number in ended:
            del self.trials[number]
        for group in self.groups:
            living = [place for place, lane in enumerate(group.lanes) if lane.number in self.trials]
            if self._recipe.recorder is None or 2 * len(living) <= len(group.lanes):
                group.keep(living)
        self.groups = [group for group in self.groups if group.lanes]

    def trained(self) -> Trained:
        """What has come of the trials that have ended."""
        if self.best is None:
            return Trained(best_number=None, best_value=None, best_lanes=None, lane_steps=self.lane_steps)
        trial, lanes = self.best
        sign, beat = self.task.direction.sign, self.task.beat
        return Trained(
            best_number=trial.number,
            best_value=trial.best,
            best_lanes=lanes if beat is None or sign * trial.best <= sign * beat else None,
            best_settings=trial.best_settings,
            lane_steps=self.lane_steps,
        )


def _by_trial(
    groups: Sequence[LaneGroup], measures: Sequence[Measures]
) -> tuple[dict[int, list[list[float]]], set[int]]:
    """Curve rows by trial, one for each of its lanes, and the trials with a lane that is not finite.

    The row of such a lane is NaN throughout: an accuracy of outputs that are no numbers means nothing,
    and which of its weights are inf and which NaN may depend on the neighbours (0 * inf).
    """
    rows: dict[int, list[list[float]]] = {}
    bad: set[int] = set()
    for group, measured in zip(groups, measures, strict=True):
        table = torch.cat([measured.train, measured.validation, measured.facts], 1).tolist()
        for lane, row, finite in zip(group.lanes, table, measured.finite.tolist(), strict=True):
            rows.setdefault(lane.number, []).append(row if finite else [math.nan] * len(row))
            if not finite:
                bad.add(lane.number)
    return rows, bad
