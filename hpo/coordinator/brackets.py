"""Brackets on their way: which works train them, who judges them and when, who goes on and from what."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hpo.bracket import History, Judge, history_of
from hpo.cohort import Cohort, CohortHalted, CohortTask
from hpo.coordinator.archive import Archive
from hpo.coordinator.flight import Flight
from hpo.coordinator.lots import Lot, fits_one, lots_of, spread
from hpo.coordinator.planner import Part, Planner, ReadyTrial, cut, group
from hpo.coordinator.work import Contest, Spread, Work
from hpo.pruners.base import Pruner
from hpo.pruners.own import OWN
from hpo.study import StudySpec
from hpo.trial import TrialResult


@dataclass(kw_only=True)
class Referee:
    """Makes works of a study's trials, and brackets' judgements where no worker can make them alone.

    pruner: None in a study without one, whose cohorts are trained just as they are planned
    ended: what is known of trials that have ended, in brackets that have not
    """

    spec: StudySpec
    metric: str
    planner: Planner
    pruner: Pruner | None
    archive: Archive
    ended: dict[int, History] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether a worker can judge by itself."""
        return self.spec.pruner.name in OWN

    # Planning

    def lots(self, trials: Sequence[ReadyTrial]) -> list[Lot]:
        """Trials of a window, each lot to be stored as a cohort."""
        if self.pruner is None:
            return [Lot(parts=(part,)) for part in self.planner.cohorts(trials)]
        return lots_of(trials, self.planner, self.pruner, alone=self.alone)

    def works(self, cohort: Cohort, lots: Iterable[Lot]) -> list[Work]:
        """What is to be done about the lots of one stored cohort."""
        if self.pruner is None:
            return [Work(cohort=cohort, parts=deque(part for lot in lots for part in lot.parts))]
        contest, works = Contest(cohort), list[Work]()
        for lot in lots:
            where = None
            if lot.bracket is not None:
                where = Spread(lot.bracket, lot.bracket.epochs[0], open=len(lot.parts))
            works += [Work(cohort, deque([part]), contest=contest, spread=where) for part in lot.parts]
        contest.open = len(works)
        return works or [Work(cohort=cohort, parts=deque())]

    def again(self, cohort: Cohort, trials: Sequence[ReadyTrial]) -> list[Work]:
        """The same for the trials of a stored cohort that an earlier driver has left.

        A work that is all of its cohort goes on from where that was saved, others from their first epoch.
        """
        if self.pruner is None:
            works = [Work(cohort=cohort, parts=deque(self.planner.again(trials)))]
        else:
            works = self.works(cohort, self.lots(trials))
        if len(works) == 1 and works[0].spread is None:
            works[0].saved = self.archive.saved(cohort)
        return works

    def recall(self, trials: Iterable[ReadyTrial], n_planned: int) -> None:
        """Learn of trials that have ended in the brackets of these. n_planned: how many the study has so far."""
        if self.pruner is None:
            return
        living = {trial.number for trial in trials}
        brackets = {self.pruner.bracket(number) for number in living}
        numbers = {n for bracket in brackets if bracket.epochs for n in bracket.numbers if n < n_planned}
        for result, trial in self.archive.ended(sorted(numbers - living - self.ended.keys())):
            self.note(result, trial)

    def instruct(self, work: Work, task: CohortTask) -> CohortTask:
        """The task with where it goes on, where it halts, and how the worker judges."""
        saved = work.saved_for(task.numbers)
        task = replace(task, checkpoints=work.checkpoints if saved is None else (saved.checkpoint,))
        if work.spread is not None:
            return replace(task, halt=work.spread.epoch, saving=0.0)
        if self.pruner is None or not self.alone or self.spec.epochs is None:
            return task
        numbers = set(task.numbers)
        brackets = {self.pruner.bracket(number) for number in numbers}
        if not any(bracket.epochs for bracket in brackets):
            return task
        known = {n: self.ended[n] for one in brackets for n in one.numbers if n in self.ended}
        return replace(task, judge=Judge(pruner=self.spec.pruner, epochs=self.spec.epochs, known=known))

    # What comes back

    def note(self, result: TrialResult, trial: ReadyTrial) -> None:
        """A trial has ended."""
        if self.pruner is not None:
            self.ended[trial.number] = history_of(result, self.metric, trial.lane.epochs)

    def halted(self, flight: Flight, report: CohortHalted) -> None:
        """A task is at its judgement."""
        if flight.work.spread is not None:
            standing = {result.number for result in report.standing}
            stands = tuple(trial for trial in flight.part if trial.number in standing)
            flight.work.spread.halted.append((stands, report))
            for number in standing:
                flight.living.pop(number, None)

    def halves(self, work: Work, trials: Part) -> list[Work]:
        """The same in two works, one after the other or not: by brackets, or a bracket in two."""
        contest, where = work.contest, work.spread
        if contest is None or self.pruner is None:
            return []
        by_bracket = list(dict.fromkeys(self.pruner.bracket(trial.number) for trial in trials))
        if where is None and len(by_bracket) > 1:
            first = set(by_bracket[: len(by_bracket) // 2])
            sides = [
                tuple(t for t in trials if (self.pruner.bracket(t.number) in first) is x)
                for x in (True, False)
            ]
        else:
            sides = cut(trials, 2)
            saved = work.saved_for([trial.number for trial in trials])
            rung = by_bracket[0].next_epoch(work.epoch if saved is None else saved.epoch)
            if where is None and rung is not None:
                where = Spread(by_bracket[0], rung)
        if where is not None:
            where.open += len(sides)
        contest.open += len(sides)
        return [replace(work, parts=deque([side]), spread=where) for side in sides]

    def landed(self, work: Work) -> tuple[list[TrialResult], list[Work]]:
        """A work has no parts left: the trials that a judgement ends, and what is to be done next."""
        contest, where = work.contest, work.spread
        if contest is None:
            return [], []
        contest.open -= 1
        losers: list[TrialResult] = []
        works: list[Work] = []
        if where is not None:
            where.open -= 1
            if where.open == 0 and where.halted:
                losers, works = self._judge(contest, where)
        contest.open += len(works)
        if contest.open == 0:
            self._forget(contest.cohort.numbers)
        return losers, works

    def _forget(self, numbers: Iterable[int]) -> None:
        """Nobody of the brackets of these trials is there any more, unless more of them come; then see `recall`."""
        for bracket in {self.pruner.bracket(number) for number in numbers} if self.pruner else ():
            for number in bracket.numbers:
                self.ended.pop(number, None)

    def _judge(self, contest: Contest, where: Spread) -> tuple[list[TrialResult], list[Work]]:
        """End a bracket's losers; the others go on together, each from the checkpoint that holds it."""
        if self.pruner is None:
            return [], []
        standing = {result.number: result for _, halted in where.halted for result in halted.standing}
        trials = {trial.number: trial for part, _ in where.halted for trial in part}
        living = {
            number: replace(
                history_of(standing[number], self.metric, trial.lane.epochs), last=trial.lane.epochs - 1
            )
            for number, trial in trials.items()
        }
        ended = {number: self.ended[number] for number in where.bracket.numbers if number in self.ended}
        # Trials that this judgement has ended under an earlier driver are in it once more, and lose again.
        out = self.pruner.losers(where.bracket, where.epoch, ended | living) & standing.keys()
        losers = [
            replace(standing[number], reason=f"{self.pruner.name}@{where.epoch}") for number in sorted(out)
        ]
        for loser in losers:
            self.note(loser, trials[loser.number])
        left = [trials[number] for number in sorted(trials) if number not in out]
        return losers, self._onwards(contest, where, left)

    def _onwards(self, contest: Contest, where: Spread, left: Sequence[ReadyTrial]) -> list[Work]:
        parts, rung = self._parted(left), where.bracket.next_epoch(where.epoch)
        together = rung is None or (self.alone and len(parts) == 1)
        onwards = None if together or rung is None else Spread(where.bracket, rung, open=len(parts))
        works: list[Work] = []
        for part in parts:
            numbers = {trial.number for trial in part}
            checkpoints = tuple(
                halted.checkpoint
                for stands, halted in where.halted
                if any(trial.number in numbers for trial in stands)
            )
            works.append(
                Work(
                    contest.cohort,
                    deque([part]),
                    contest=contest,
                    spread=onwards,
                    checkpoints=checkpoints,
                    epoch=where.epoch,
                )
            )
        return works

    def _parted(self, left: Sequence[ReadyTrial]) -> list[Part]:
        """Those who go on, in as few parts as keep the slots busy."""
        if self.alone and len(group(left)) == 1 and fits_one(left, self.planner, idle=True):
            return [tuple(left)]
        return spread(left, self.planner)
