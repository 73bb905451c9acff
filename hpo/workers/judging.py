"""Judge a cohort where it trains, so that a judgement costs no round trip, and halt it where it must wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hpo.bracket import Bracket, History, history_of, single
from hpo.cohort import CohortTask, EpochResult
from hpo.pruners.own import own_pruner
from hpo.states import TrialState
from hpo.trial import TrialResult

Report = Callable[[EpochResult], Sequence[bool] | None]


class Halted(Exception):
    """The cohort has trained as far as its task says."""


class Judging:
    """The histories of the trials of a task with a judge, epoch after epoch. shown: their values so far"""

    def __init__(self, task: CohortTask, shown: Mapping[int, Sequence[float]]) -> None:
        if task.judge is None:
            raise ValueError("the task has no judge")
        judge = task.judge
        self._metric = task.metric
        self._pruner = own_pruner(judge.pruner, judge.epochs, task.direction)
        self._budgets = {lane.number: task.until or lane.settings.epochs for lane in task.lanes}
        self._values = {number: list(single(shown.get(number, ()))) for number in task.numbers}
        living = {
            number: History(values=values, last=self._budgets[number] - 1)
            for number, values in self._values.items()
        }
        self._members: dict[int, History] = {**judge.known, **living}
        self._out: set[int] = set()
        brackets = {self._pruner.bracket(number) for number in task.numbers}
        self._brackets: Mapping[Bracket, frozenset[int]] = {
            bracket: frozenset(bracket.epochs) for bracket in brackets
        }

    def named(self, ended: TrialResult) -> TrialResult:
        """A trial's end, with the pruner's name if it was judged here."""
        return ended_by(ended, self._pruner.name) if ended.number in self._out else ended

    def keep(self, result: EpochResult) -> list[bool]:
        """Which trials of an epoch go on."""
        for number, value in zip(result.numbers, single(result.values), strict=True):
            self._values[number].append(value)
        for ended in result.ended:
            self._members[ended.number] = history_of(ended, self._metric, self._budgets[ended.number])
        for bracket, epochs in self._brackets.items():
            if result.epoch in epochs:
                members = {n: self._members[n] for n in bracket.numbers if n in self._members}
                self._out |= self._pruner.losers(bracket, result.epoch, members)
        return [number not in self._out for number in result.numbers]


def ended_by(ended: TrialResult, pruner: str) -> TrialResult:
    """The result of a trial that was dropped, with the pruner's name in its reason."""
    return replace(ended, reason=f"{pruner}@{ended.epochs}") if ended.state is TrialState.PRUNED else ended


def defers(task: CohortTask) -> bool:
    """Whether a trial of the task ends by itself only after the judgement of its epoch."""
    return task.judged or task.judge is not None or task.halt is not None


def judged(task: CohortTask, report: Report, shown: Mapping[int, Sequence[float]]) -> Report:
    """`report` for the trainer of a task: it judges as the task says, and raises Halted where it is to halt.

    shown: the objective of its trials after each epoch before, where the task goes on from a checkpoint
    """
    if task.judge is None and task.halt is None:
        return report
    judging = None if task.judge is None else Judging(task, shown)

    def heed(result: EpochResult) -> Sequence[bool] | None:
        if judging is not None:
            result = replace(result, ended=tuple(map(judging.named, result.ended)))
        mask = report(result)
        if judging is not None and result.numbers:
            own = judging.keep(result)
            mask = own if mask is None else [a and b for a, b in zip(mask, own, strict=True)]
        ended = {trial.number for trial in result.ended}
        called_in = mask is not None and not any(mask)
        if result.epoch == task.halt and not called_in and not ended.issuperset(result.numbers):
            raise Halted
        return mask

    return heed
