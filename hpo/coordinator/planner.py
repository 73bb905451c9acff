"""Plan: resolve trials to settings, group those that share them, cut groups into cohorts. All pure.

How trials are cut never changes their results, only how long they take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hpo.coordinator.capacity import (
    Machine,
    epoch_seconds,
    lane_bytes,
    shape_of,
    trials_that_fit,
    trials_that_pay,
)
from hpo.coordinator.populations import blocks, size_of
from hpo.coordinator.saturation import Widths
from hpo.dataset import DatasetInfo
from hpo.errors import SpecError
from hpo.pruners.own import OWN, own_pruner
from hpo.pruners.registry import NO_JUDGES
from hpo.pruners.savings import share_trained
from hpo.space import Params, Range
from hpo.study import Direction, StudySpec
from hpo.training import LaneSettings, SharedSettings, settings_of
from hpo.trial import TrialPlan

FEWEST_IN_WINDOW = 64
MOST_IN_WINDOW = 4096
WIDER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyTrial:
    """A trial whose settings are resolved."""

    number: int
    params: Params
    shared: SharedSettings
    lane: LaneSettings


Part = tuple[ReadyTrial, ...]  # trials that may train as one tensor program, by number


class Resolver:
    """Turns the params of a study's trials into settings: the study's own, fixed and searched values."""

    def __init__(self, spec: StudySpec, info: DatasetInfo) -> None:
        self._info = info
        self._space = spec.parameters
        self._names = spec.parameters.in_order()
        self._conditional = any(p.when for p in spec.parameters.parameters.values())
        # A range of widths would leave each trial alone in its cohort. Whether widths are padded depends on
        # the study file alone, since it may move the last bits of a result.
        self._rungs = any(
            isinstance(spec.parameters.parameters.get(name), Range)
            for name in ("hidden_units", "samples_alpha")
        )
        self._first = spec.settled
        if not self._conditional:
            self._first |= spec.parameters.fixed

    def resolve(self, number: int, params: Params, budget: int | None = None) -> ReadyTrial:
        """The trial's settings; budget: its epochs at most. Raises SpecError when they do not fit together."""
        values = self._space.active(params, self._names) if self._conditional else params
        shared, lane = settings_of(
            self._first | dict(values),
            task=self._info.task,
            n_classes=len(self._info.classes),
            images=self._info.images,
            n_inputs=self._info.n_features,
            n_rows=self._info.n_train,
            rungs=self._rungs,
        )
        if lane.activation != "maxout":  # or trials would be parted by pieces that they do not have
            shared = replace(shared, maxout_pieces=1)
        if budget is not None and budget < lane.epochs:  # its schedule runs over so many too
            lane = replace(lane, epochs=budget)
        return ReadyTrial(number=number, params=params, shared=shared, lane=lane)


def lanes_per_trial(spec: StudySpec) -> int:
    """Repeats times folds."""
    return spec.repeats * n_folds(spec)


def refits(spec: StudySpec) -> bool:
    """Whether the study's model is trained anew at the end, on all rows but the test rows."""
    return spec.refit or n_folds(spec) > 1


def n_folds(spec: StudySpec) -> int:
    """Folds of the cross-validation; 1 without."""
    return (spec.data.split.folds if spec.data else None) or 1


def group(trials: Iterable[ReadyTrial]) -> list[Part]:
    """Trials that share their settings, each group by number, groups by their first number."""
    groups: dict[SharedSettings, list[ReadyTrial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        groups.setdefault(trial.shared, []).append(trial)
    return [tuple(members) for members in groups.values()]


def cut(part: Sequence[ReadyTrial], n_parts: int) -> list[Part]:
    """A group in n_parts of nearly equal size, by number.

    >>> [len(p) for p in cut(range(10), 4)]
    [3, 3, 2, 2]
    """
    size, larger = divmod(len(part), n_parts)
    bounds = [0]
    for place in range(n_parts):
        bounds.append(bounds[-1] + size + (place < larger))
    return [tuple(part[a:b]) for a, b in pairwise(bounds)]


def cut_alike(part: Part, n_parts: int) -> list[Part]:
    """The same, so that trials of one activation and optimizer meet: fewer kinds in a cohort are fewer calls."""
    alike = sorted(part, key=lambda trial: (trial.lane.activation, trial.lane.optimizer, trial.number))
    parts = cut(alike, n_parts)
    return [tuple(sorted(one, key=lambda trial: trial.number)) for one in parts]


class Planner:
    """Cuts a study's trials into cohorts for one machine."""

    def __init__(
        self, spec: StudySpec, info: DatasetInfo, machine: Machine, *, max_lanes: int | None = None
    ) -> None:
        self._info = info
        self.machine = machine
        self._max_lanes = max_lanes
        self.population = size_of(spec)  # trials that must train as one cohort
        self.parallel = spec.limits.parallel
        self.lanes_per_trial = lanes_per_trial(spec)
        self.widths = Widths()

    def trials_per_cohort(self, shared: SharedSettings) -> int:
        """How many trials of these settings make a cohort; at least 1."""
        if self._max_lanes:
            most = self._max_lanes // self.lanes_per_trial
        else:
            pay = trials_that_pay(shared, self._info, self.machine, lanes_per_trial=self.lanes_per_trial)
            most = min(pay, self._not_refused(shared))
        if self.parallel is not None:  # shared out, so that all slots have something to do
            most = min(most, self.parallel // self.machine.n_slots)
        return max(1, most)

    def trials_of_bracket(self, shared: SharedSettings) -> int:
        """The largest bracket that makes one cohort: more than pay at first, since few of it are left soon."""
        pay = self.trials_per_cohort(shared)
        if self._max_lanes or self.parallel is not None:
            return pay
        fit = trials_that_fit(shared, self._info, self.machine, lanes_per_trial=self.lanes_per_trial)
        return max(1, min(fit, WIDER * pay, self._not_refused(shared)))

    def _not_refused(self, shared: SharedSettings) -> int:
        return self.widths.lanes(shared, self.machine.kinds) // self.lanes_per_trial

    def cohorts(self, trials: Sequence[ReadyTrial]) -> list[Part]:
        """Trials of a window as cohorts, the longest first, so that slots end together."""
        if self.population is not None:
            return blocks(trials, self.population)
        groups = group(trials)
        slots = self.machine.n_slots
        fair = -(-len(trials) // slots)  # no cohort is larger than a slot's fair share of the window
        parts: list[Part] = []
        for members in groups:
            n_parts = -(-len(members) // min(fair, self.trials_per_cohort(members[0].shared)))
            if len(groups) == 1:
                n_parts = min(len(members), -(-n_parts // slots) * slots)
            parts += cut_alike(members, n_parts)
        return sorted(parts, key=lambda part: (-self.seconds(part), part[0].number))

    def again(self, trials: Sequence[ReadyTrial]) -> list[Part]:
        """Trials of a stored cohort as parts that fit here: mostly one."""
        if self.population is not None:
            return blocks(trials, self.population)
        return [
            part
            for members in group(trials)
            for part in cut(members, -(-len(members) // self.trials_per_cohort(members[0].shared)))
        ]

    def seconds(self, part: Part) -> float:
        """About how long a cohort takes on one slot."""
        lanes = len(part) * self.lanes_per_trial
        epochs = max(trial.lane.epochs for trial in part)
        return epochs * epoch_seconds(
            part[0].shared, self._info, self.machine, lanes, groups=self.lanes_per_trial
        )

    def memory_bytes(self, part: Part) -> int:
        """About what a cohort takes of a slot's memory."""
        return len(part) * self.lanes_per_trial * lane_bytes(part[0].shared, self._info)

    def first_window(self, shared: SharedSettings, remaining: int) -> int:
        """How many trials to plan at once: two cohorts a slot, or all that remain when they are few."""
        window = 2 * self.machine.n_slots * self.trials_per_cohort(shared)
        window = max(FEWEST_IN_WINDOW, min(MOST_IN_WINDOW, window))
        return remaining if remaining <= min(2 * window, MOST_IN_WINDOW) else window

    def too_scattered(self, trials: Sequence[ReadyTrial]) -> bool:
        """Whether a larger window would make fuller cohorts: its groups are less than half full."""
        groups = group(trials)
        room = sum(self.trials_per_cohort(members[0].shared) for members in groups)
        return len(groups) > 1 and len(trials) < room / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a study would take. seconds and memory_bytes come from stated rates, not from a measurement.

    trained: the share of the epochs that a pruner leaves to be trained, 1 without one; flops and seconds are of
    these. None when it is not known: they are then those of all epochs
    """

    n_trials: int
    n_lanes: int
    n_cohorts: int
    widest_lanes: int
    memory_bytes: int  # of the largest cohort
    flops: float
    seconds: float
    trained: float | None


def estimate(
    spec: StudySpec,
    info: DatasetInfo,
    plans: Sequence[TrialPlan],
    machine: Machine,
    *,
    n_trials: int | None = None,
    max_lanes: int | None = None,
) -> Estimate:
    """What n_trials like these plans take (left out: spec.trials, or as many as there are plans).

    Give the first plans of the study, a few hundred are enough. Raises SpecError when a plan does not
    resolve or there is none.
    """
    if not plans:
        raise SpecError("the study has no trials", field="trials")
    total = n_trials if n_trials is not None else spec.trials or len(plans)
    planner = Planner(spec, info, machine, max_lanes=max_lanes)
    resolver = Resolver(spec, info)
    trials = [resolver.resolve(plan.number, plan.params, plan.epochs) for plan in plans]
    parts = planner.cohorts(trials)
    scale = total / len(plans)
    trained = _trained(spec, total)
    share = 1.0 if trained is None else trained
    flops = sum(_flops(trial, spec, info) for trial in trials)
    return Estimate(
        n_trials=total,
        n_lanes=total * planner.lanes_per_trial,
        n_cohorts=max(1, round(len(parts) * scale)),
        widest_lanes=max(len(part) for part in parts) * planner.lanes_per_trial,
        memory_bytes=max(planner.memory_bytes(part) for part in parts),
        flops=flops * scale * share,
        seconds=_seconds(parts, planner, machine) * max(1.0, scale) * share,
        trained=trained,
    )


def _trained(spec: StudySpec, n_trials: int) -> float | None:
    """The share of the epochs that the study's pruner leaves to be trained; None when nobody knows."""
    if spec.pruner.name in NO_JUDGES:
        return 1.0
    if spec.pruner.name not in OWN or spec.epochs is None:
        return None
    pruner = own_pruner(spec.pruner, spec.epochs, Direction.MINIMIZE)  # which one makes no difference here
    return share_trained(pruner, epochs=spec.epochs, trials=n_trials)


def _flops(trial: ReadyTrial, spec: StudySpec, info: DatasetInfo) -> float:
    rows = info.n_train + info.n_validation / 3  # validation is the forward pass only
    return shape_of(trial.shared, info).flops_per_row * rows * trial.lane.epochs * lanes_per_trial(spec)


def _seconds(parts: Sequence[Part], planner: Planner, machine: Machine) -> float:
    """When the last slot ends, each taking the next cohort as it becomes free."""
    ends = [0.0] * machine.n_slots
    for part in parts:
        place = ends.index(min(ends))
        ends[place] += planner.seconds(part)
    return max(ends)
