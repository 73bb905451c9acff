"""A Storage in memory: the database's twin, for tests and for searches that nobody wants to keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hpo.cohort import Cohort, CohortPlan
from hpo.errors import (
    LeaseLost,
    SpecError,
    StudyExists,
    StudyNotFound,
    TrialNotFound,
)
from hpo.space import SearchSpace
from hpo.states import FINAL, CohortState, StudyState, TrialState, Wanted, check_move
from hpo.storage.base import LEASE_S, Claim, Entry, ScoredTest, StoredModel, TrialQuery
from hpo.storage.memory_accounts import MemoryAccounts
from hpo.storage.memory_datasets import alone
from hpo.storage.memory_study import KeptStudy, plain, study_of
from hpo.storage.rules import (
    DRIVEN,
    HEEDS_WISHES,
    check_enqueue,
    check_new_total,
    check_not_driven,
    check_plan,
    check_queued,
    directions_of,
    front_of,
    state_once_claimed,
    storable,
)
from hpo.study import Direction, Driver, NewStudy, Study
from hpo.trial import Curve, Queued, Trial, TrialPlan, TrialResult

_ORDERS: dict[str, Callable[[Trial], Any]] = {
    "number": lambda t: t.number,
    "-number": lambda t: -t.number,
    "value": lambda t: (t.value is None, t.value or 0.0, t.number),
    "-value": lambda t: (t.value is None, -(t.value or 0.0), t.number),
}


class Memory(MemoryAccounts):
    """A Storage in this process's memory; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        super().__init__()
        self._studies: dict[str, KeptStudy] = {}
        self._last_study = 0
        self._last_cohort = 0
        self._last_queued = 0

    def open_studies(self) -> list[Study]:
        """The studies that are not final."""
        return [kept.study for kept in self._studies.values() if kept.study.state not in FINAL]

    # Studies

    @alone
    def create_study(self, new: NewStudy) -> Study:
        """A new study, QUEUED."""
        if new.name in self._studies:
            raise StudyExists(f"a study called {new.name!r} exists already; choose another name")
        self._last_study += 1
        self._studies[new.name] = kept = KeptStudy(study_of(self._last_study, new))
        self._put_in_queue(kept, [(params, None) for params in new.enqueue])
        return kept.now()

    def _put_in_queue(self, kept: KeptStudy, entries: Sequence[Entry]) -> None:
        for params, retry_of in entries:
            self._last_queued += 1
            kept.queue[self._last_queued] = Queued(
                id=self._last_queued, params=plain(params), retry_of=retry_of
            )

    @alone
    def get_study(self, name: str) -> Study:
        """The study of that name."""
        return self._find(name).now()

    def _find(self, name: str) -> KeptStudy:
        if name not in self._studies:
            raise StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")
        return self._studies[name]

    @alone
    def list_studies(
        self, *, state: StudyState | None = None, label: tuple[str, str] | None = None
    ) -> list[Study]:
        """All studies, the newest first."""
        studies = [kept.now() for kept in reversed(self._studies.values())]
        return [
            study
            for study in studies
            if (state is None or study.state is state)
            and (label is None or study.labels.get(label[0]) == label[1])
        ]

    @alone
    def want(self, name: str, wanted: Wanted) -> Study:
        """Leave word for the study's driver."""
        kept = self._find(name)
        if kept.study.state in HEEDS_WISHES:
            kept.study = replace(kept.study, wanted=wanted)
        return kept.now()

    @alone
    def move_study(self, name: str, state: StudyState, *, reason: str | None = None) -> Study:
        """Move a study that nobody drives."""
        kept = self._find(name)
        check_not_driven(kept.now())
        check_move(name, kept.study.state, state)
        kept.leave(state, reason)
        return kept.now()

    @alone
    def set_trials(self, name: str, n_trials: int) -> Study:
        """Raise the total of trials."""
        kept = self._find(name)
        check_new_total(kept.study, n_trials)
        kept.study = replace(kept.study, n_trials=n_trials)
        return kept.now()

    @alone
    def enqueue(self, name: str, entries: Sequence[Entry]) -> Study:
        """Put settings into the queue and raise the total."""
        kept = self._find(name)
        check_enqueue(kept.study, len(entries))
        if not entries:
            return kept.now()
        self._put_in_queue(kept, entries)
        kept.study = replace(kept.study, n_trials=kept.study.n_trials + len(entries))
        if kept.study.state in FINAL:
            kept.leave(StudyState.QUEUED, None)
        return kept.now()

    @alone
    def queue(self, name: str) -> list[Queued]:
        """The settings that wait for a number."""
        return list(self._find(name).queue.values())

    @alone
    def delete_study(self, name: str) -> None:
        """Remove a study with all that is its own."""
        check_not_driven(self._find(name).now())
        del self._studies[name]

    # Driving a study

    @alone
    def claim_study(
        self, name: str, driver: Driver, *, dead: Driver | None = None, lease_s: float = LEASE_S
    ) -> Claim:
        """Take a study to RUNNING."""
        kept = self._find(name)
        before = kept.now()
        state = state_once_claimed(before, dead)
        goes_on = before.state in DRIVEN  # in the place of a driver that died: why it is stopping still holds
        kept.attempt += 1
        kept.running_since = time.time()
        kept.lease_until = kept.running_since + lease_s
        kept.study = replace(
            before,
            state=state,
            reason=before.reason if goes_on else None,
            counted=before.counted if goes_on else None,
            driver=driver,
            started_at=before.started_at or datetime.now(UTC),
            finished_at=None,
        )
        return Claim(study=before.id, name=name, driver=driver, attempt=kept.attempt)

    def _fence(self, claim: Claim) -> KeptStudy:
        kept = self._studies.get(claim.name)
        if (
            kept is None
            or kept.study.id != claim.study
            or kept.attempt != claim.attempt
            or kept.study.driver != claim.driver
        ):
            raise LeaseLost(f"study {claim.name!r} was taken over from {claim.driver} or is gone")
        kept.lease_until = max(kept.lease_until or 0.0, time.time() + LEASE_S)
        return kept

    @alone
    def renew(self, claim: Claim, *, lease_s: float = LEASE_S) -> Wanted:
        """Keep the claim; what is wanted."""
        kept = self._fence(claim)
        now = time.time()
        spent = kept.study.seconds + now - (kept.running_since or now)
        kept.study = replace(kept.study, seconds=spent)
        kept.running_since, kept.lease_until = now, now + lease_s
        return kept.study.wanted

    @alone
    def release(
        self, claim: Claim, state: StudyState, *, reason: str | None = None, test: ScoredTest | None = None
    ) -> Study:
        """End driving."""
        kept = self._fence(claim)
        check_move(claim.name, kept.study.state, state)
        if test is not None:
            scored = 0 if kept.study.test is None else int(kept.study.test["scored"])
            kept.study = replace(kept.study, test=test.record(scored + 1))
        kept.leave(state, reason)
        return kept.now()

    @alone
    def move_claimed(
        self, claim: Claim, state: StudyState, *, reason: str | None = None, counted: int | None = None
    ) -> Study:
        """Move a driven study."""
        kept = self._fence(claim)
        check_move(claim.name, kept.study.state, state)
        kept.study = replace(kept.study, state=state, reason=reason, counted=counted)
        return kept.now()

    @alone
    def set_notes(self, claim: Claim, notes: Mapping[str, Any]) -> None:
        """Keep what the sampler decided."""
        kept = self._fence(claim)
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
        kept = self._fence(claim)
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
        return [c for c in self._find(name).cohorts.values() if c.state is not CohortState.DONE]

    @alone
    def unfinished(self, name: str) -> list[Trial]:
        """The RUNNING trials by number."""
        return [t for t in self._find(name).trials.values() if t.state is TrialState.RUNNING]

    @alone
    def start_cohort(self, claim: Claim, cohort: int) -> Cohort:
        """To RUNNING with attempt + 1."""
        kept = self._fence(claim)
        found = kept.cohorts.get(cohort)
        if found is None or found.state is CohortState.DONE:
            raise LeaseLost(f"cohort {cohort} of study {claim.name!r} is done")
        started = replace(found, state=CohortState.RUNNING, attempt=found.attempt + 1, driver=claim.driver)
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
        kept = self._fence(claim)
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
        kept = self._fence(claim)
        running = self._running(kept, cohort, attempt)
        results = [storable(result) for result in results]
        for result in results:
            if result.number not in running.numbers:
                raise TrialNotFound(f"cohort {cohort} of study {claim.name!r} has no trial {result.number}")
        ended = [r.number for r in results if kept.finish(r)]
        if done:
            kept.cohorts[cohort] = replace(running, state=CohortState.DONE)
        return sorted(ended)

    @alone
    def save_model(self, claim: Claim, model: StoredModel) -> None:
        """Keep a model in place of an earlier one."""
        self._fence(claim).model = model

    # Reading

    @alone
    def trials(self, name: str, query: TrialQuery = TrialQuery()) -> list[Trial]:  # noqa: B008 - frozen
        """Trials of a study."""
        found = [t for t in self._find(name).trials.values() if not query.states or t.state in query.states]
        if query.sort not in _ORDERS:
            raise SpecError(f"trials are sorted by {', '.join(_ORDERS)}; got {query.sort!r}", field="sort")
        found.sort(key=_ORDERS[query.sort])
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end]

    @alone
    def get_trial(self, name: str, number: int) -> Trial:
        """One trial."""
        kept = self._find(name)
        if number not in kept.trials:
            raise TrialNotFound(f"study {name!r} has no trial {number}")
        return kept.trials[number]

    @alone
    def best_trials(self, name: str, n: int = 1) -> list[Trial]:
        """The best COMPLETE trials."""
        study = self._find(name).study
        if study.objectives:
            return self.pareto(name)[:n]
        maximize = study.direction is Direction.MAXIMIZE
        query = TrialQuery(states=(TrialState.COMPLETE,), sort="-value" if maximize else "value")
        found = [t for t in self.trials(name, query) if t.value is not None and t.feasible]
        return [t for t in found if study.counted is None or t.number < study.counted][:n]

    @alone
    def pareto(self, name: str) -> list[Trial]:
        """The Pareto front."""
        kept = self._find(name)
        points = {
            number: trial.values or ((trial.value,) if trial.value is not None else ())
            for number, trial in kept.trials.items()
            if trial.state is TrialState.COMPLETE and trial.feasible
            if kept.study.counted is None or number < kept.study.counted
        }
        points = {number: values for number, values in points.items() if values}
        return [kept.trials[number] for number in front_of(points, directions_of(kept.study))]

    @alone
    def curve(self, name: str, number: int) -> Curve | None:
        """The curve of a finished trial."""
        self.get_trial(name, number)
        return self._find(name).curves.get(number)

    @alone
    def curves(self, name: str, numbers: Sequence[int]) -> dict[int, Curve]:
        """The curves of those of the trials that have one."""
        kept = self._find(name)
        return {number: kept.curves[number] for number in numbers if number in kept.curves}

    @alone
    def model(self, name: str) -> StoredModel | None:
        """The kept model."""
        return self._find(name).model

    def close(self) -> None:
        """Nothing to let go of."""
