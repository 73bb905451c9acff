"""Driving a study of the in-memory storage: claims, trials, cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hpo.cohort import Cohort, CohortPlan
from hpo.errors import LeaseLost, TrialNotFound
from hpo.space import SearchSpace
from hpo.states import CohortState, StudyState, TrialState, Wanted, check_move
from hpo.storage.base import LEASE_S, Claim, ScoredTest, StoredModel
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_study import KeptStudy, now_s, plain
from hpo.storage.rules import (
    DRIVEN,
    check_plan,
    check_queued,
    planned_before,
    state_once_claimed,
    state_once_left,
    storable,
)
from hpo.study import Driver, Study
from hpo.trial import Trial, TrialPlan, TrialResult


class MemoryDriving(MemoryBase):
    """What whoever runs a study does; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        super().__init__()
        self._last_cohort = 0

    @alone
    def claim_study(
        self, name: str, driver: Driver, *, dead: Driver | None = None, lease_s: float = LEASE_S
    ) -> Claim:
        """Take a study to RUNNING."""
        kept = self.find(name)
        before = kept.now()
        state = state_once_claimed(before, dead)
        goes_on = before.state in DRIVEN  # in the place of a driver that died: why it is stopping still holds
        kept.attempt += 1
        kept.running_since = now_s()
        kept.lease_until = kept.running_since + lease_s
        kept.study = replace(
            before,
            state=state,
            reason=before.reason if goes_on else None,
            counted=before.counted if goes_on else None,
            driver=driver,
            live={},
            started_at=before.started_at or datetime.now(UTC),
            finished_at=None,
        )
        return Claim(study=before.id, name=name, driver=driver, attempt=kept.attempt)

    @alone
    def renew(
        self, claim: Claim, *, lease_s: float = LEASE_S, live: Mapping[str, Any] | None = None
    ) -> Wanted:
        """Keep the claim; what is wanted."""
        kept = self.fence(claim)
        now = now_s()
        spent = kept.study.seconds + now - (kept.running_since or now)
        kept.study = replace(kept.study, seconds=spent, live=kept.study.live if live is None else plain(live))
        kept.running_since, kept.lease_until = now, now + lease_s
        return kept.study.wanted

    @alone
    def release(
        self,
        claim: Claim,
        state: StudyState,
        *,
        reason: str | None = None,
        test: ScoredTest | None = None,
        obeys: Wanted = Wanted.NOTHING,
    ) -> Study:
        """End driving."""
        before = self.kept.get(claim.name)
        if before is not None and before.was_left(claim, state):
            return before.now()
        kept = self.fence(claim)
        state = state_once_left(kept.study, state, obeys)
        if test is not None:
            scored = 0 if kept.study.test is None else int(kept.study.test["scored"])
            kept.study = replace(kept.study, test=test.record(scored + 1))
        kept.leave(state, reason)
        return kept.now()

    @alone
    def hand_over(self, claim: Claim) -> Study:
        """Leave a driven study to another driver."""
        kept = self.fence(claim)
        wanted, stopping = kept.study.wanted, kept.study.state is StudyState.STOPPING
        if stopping:  # only its running cohorts are trained, so they stay RUNNING
            kept.study = replace(kept.study, seconds=kept.now().seconds, driver=None, live={})
            kept.lease_until = kept.running_since = None
        else:
            kept.leave(StudyState.QUEUED, None)
            kept.study = replace(kept.study, wanted=wanted)
        return kept.now()

    @alone
    def move_claimed(
        self, claim: Claim, state: StudyState, *, reason: str | None = None, counted: int | None = None
    ) -> Study:
        """Move a driven study."""
        kept = self.fence(claim)
        if kept.study.state is not state:
            check_move(claim.name, kept.study.state, state)
        kept.study = replace(kept.study, state=state, reason=reason, counted=counted)
        return kept.now()

    @alone
    def set_notes(self, claim: Claim, notes: Mapping[str, Any]) -> None:
        """Keep what the sampler decided."""
        kept = self.fence(claim)
        kept.study = replace(kept.study, notes=plain(notes))

    # Trials and cohorts of a driven study

    @alone
    def plan_trials(
        self,
        claim: Claim,
        space: SearchSpace,
        plans: Sequence[TrialPlan],
        cohorts: Sequence[CohortPlan],
    ) -> list[Cohort]:
        """Insert trials, RUNNING, and their cohorts, READY."""
        kept = self.fence(claim)
        if plans and plans[0].number < len(kept.trials):
            last = [trial for trial in kept.trials.values() if trial.number >= plans[0].number]
            before = planned_before(plans, cohorts, last, list(kept.cohorts.values()))
            if before:
                return before
        check_plan(len(kept.trials), plans, cohorts)
        taken = [plan.queued for plan in plans if plan.queued is not None]
        check_queued(taken, kept.queue)
        for entry in taken:
            del kept.queue[entry]
        made = [self._new_cohort(claim.study, plan) for plan in cohorts]
        kept.add(plans, made)
        return made

    def _new_cohort(self, study: int, plan: CohortPlan) -> Cohort:
        self._last_cohort += 1
        return Cohort(
            id=self._last_cohort,
            study=study,
            state=CohortState.READY,
            attempt=0,
            epoch=0,
            driver=None,
            numbers=plan.numbers,
            repeats=plan.repeats,
            folds=plan.folds,
        )

    @alone
    def open_cohorts(self, name: str) -> list[Cohort]:
        """The cohorts that are not DONE, by id."""
        return [c for c in self.find(name).cohorts.values() if c.state is not CohortState.DONE]

    @alone
    def unfinished(self, name: str) -> list[Trial]:
        """The RUNNING trials by number."""
        return [t for t in self.find(name).trials.values() if t.state is TrialState.RUNNING]

    @alone
    def start_cohort(self, claim: Claim, cohort: int) -> Cohort:
        """To RUNNING with attempt + 1."""
        kept = self.fence(claim)
        found = kept.cohorts.get(cohort)
        if found is None or found.state is CohortState.DONE:
            raise LeaseLost(f"cohort {cohort} of study {claim.name!r} is done")
        started = replace(
            found,
            state=CohortState.RUNNING,
            attempt=found.attempt + 1,
            driver=claim.driver,
            started_at=datetime.now(UTC),
        )
        kept.cohorts[cohort] = started
        return started

    def _running(self, kept: KeptStudy, cohort: int, attempt: int) -> Cohort:
        found = kept.cohorts.get(cohort)
        if found is None or found.attempt != attempt or found.state is not CohortState.RUNNING:
            raise LeaseLost(f"attempt {attempt} at cohort {cohort} of study {kept.study.name!r} is void")
        return found

    @alone
    def record_epochs(
        self, claim: Claim, cohort: int, attempt: int, epoch: int, steps: Mapping[int, Mapping[int, float]]
    ) -> None:
        """How far a cohort is, and steps of its trials."""
        kept = self.fence(claim)
        running = self._running(kept, cohort, attempt)
        kept.cohorts[cohort] = replace(running, epoch=epoch)
        for number, points in steps.items():
            trial = kept.trials.get(number)
            if trial is not None and trial.cohort == cohort and not trial.state.finished:
                kept.steps.setdefault(number, {}).update(points)

    @alone
    def finish_trials(
        self, claim: Claim, cohort: int, attempt: int, results: Sequence[TrialResult], *, done: bool = False
    ) -> list[int]:
        """RUNNING trials to their final state."""
        kept = self.fence(claim)
        there = kept.cohorts.get(cohort)
        if done and there is not None and (there.attempt, there.state) == (attempt, CohortState.DONE):
            return []  # it has been carried out, only the answer was lost
        running = self._running(kept, cohort, attempt)
        results = [storable(result) for result in results]
        for result in results:
            if result.number not in running.numbers:
                raise TrialNotFound(f"cohort {cohort} of study {claim.name!r} has no trial {result.number}")
        ended = [r.number for r in sorted(results, key=lambda r: r.number) if kept.finish(r)]
        if done:
            kept.cohorts[cohort] = replace(running, state=CohortState.DONE)
            kept.checkpoints.pop(cohort, None)
        return ended

    @alone
    def save_checkpoint(self, claim: Claim, cohort: int, attempt: int, data: bytes) -> None:
        """Keep where a running cohort stands."""
        kept = self.fence(claim)
        self._running(kept, cohort, attempt)
        kept.checkpoints[cohort] = data

    @alone
    def checkpoint(self, cohort: int) -> bytes | None:
        """What was kept last."""
        found = (study.checkpoints[cohort] for study in self.kept.values() if cohort in study.checkpoints)
        return next(found, None)

    @alone
    def save_model(self, claim: Claim, model: StoredModel) -> None:
        """Keep a model in place of an earlier one."""
        kept = self.fence(claim)
        kept.model, kept.model_at = model, datetime.now(UTC)
