"""One study of the in-memory storage, and how it changes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hpo.cohort import Cohort
from hpo.states import FINAL, CohortState, Reason, StudyState, TrialState, Wanted
from hpo.storage.base import Claim, StoredModel
from hpo.storage.external_rules import Report
from hpo.storage.rules import facts_of, finite, is_driven
from hpo.study import EXTERNAL, NewStudy, Study
from hpo.trial import Curve, Queued, Trial, TrialPlan, TrialResult


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a trial that is trained elsewhere, until when; losses: how often such a lease has run out."""

    client: str
    until: float
    losses: int


@dataclass(slots=True)
class KeptStudy:
    """Everything about one study."""

    study: Study
    attempt: int = 0
    lease_until: float | None = None
    running_since: float | None = None
    queued_at_s: float = field(default_factory=lambda: now_s())
    trials: dict[int, Trial] = field(default_factory=dict)
    curves: dict[int, Curve] = field(default_factory=dict)
    steps: dict[int, dict[int, float]] = field(default_factory=dict)
    cohorts: dict[int, Cohort] = field(default_factory=dict)
    checkpoints: dict[int, bytes] = field(default_factory=dict)
    queue: dict[int, Queued] = field(default_factory=dict)
    leases: dict[int, Lease] = field(default_factory=dict)
    reports: dict[int, list[Report]] = field(default_factory=dict)
    model: StoredModel | None = None
    model_at: datetime | None = None
    counts: dict[TrialState, int] = field(default_factory=lambda: dict.fromkeys(TrialState, 0))

    def now(self) -> Study:
        """The study at this moment."""
        left = None if self.lease_until is None else self.lease_until - now_s()
        study = replace(self.study, lease_left_s=left, counts=dict(self.counts), n_queued=len(self.queue))
        if not is_driven(study):
            study = replace(study, live={})
        if self.running_since is not None and (is_driven(study) or study.driver is None):
            study = replace(study, seconds=study.seconds + now_s() - self.running_since)
        return study

    def add(self, plans: Sequence[TrialPlan], cohorts: Sequence[Cohort]) -> None:
        """Take trials, RUNNING, and their cohorts."""
        self.cohorts.update((cohort.id, cohort) for cohort in cohorts)
        cohort_of = {number: cohort.id for cohort in cohorts for number in cohort.numbers}
        now = datetime.now(UTC)
        for plan in plans:
            self.trials[plan.number] = _trial_of(plan, cohort_of.get(plan.number), now)
        self.counts[TrialState.RUNNING] += len(plans)

    def finish(self, result: TrialResult) -> bool:
        """Whether the trial ended now; a finished one is left as it is."""
        trial = self.trials[result.number]
        if trial.state.finished:
            return False
        self.trials[result.number] = trial._replace(
            state=result.state,
            reason=result.reason,
            value=finite(result.value),
            stderr=finite(result.stderr),
            best_epoch=result.best_epoch,
            epochs=result.epochs,
            finished_at=datetime.now(UTC),
            facts=facts_of(result),
            values=tuple(result.values),
            feasible=result.feasible,
            lineage=tuple(result.lineage),
            place=self._next_place(),
        )
        self._count(trial.state, result.state)
        self.steps.setdefault(result.number, {}).update(result.steps)
        if result.curve is not None:
            self.curves[result.number] = result.curve
        return True

    def _next_place(self) -> int:
        return 1 + sum(n for state, n in self.counts.items() if state.finished)

    def _count(self, before: TrialState, after: TrialState) -> None:
        self.counts[before] -= 1
        self.counts[after] += 1

    def was_left(self, claim: Claim, state: StudyState) -> bool:
        """Whether that claim has left the study in that state already, and nobody has taken it since."""
        study = self.study
        same = (study.id, self.attempt) == (claim.study, claim.attempt)
        return same and study.state is state and study.driver is None

    def leave(self, state: StudyState, reason: str | None) -> None:
        """Put the study into a state in which nobody drives it; settle what was open."""
        now = datetime.now(UTC)
        seconds = self.now().seconds
        for cohort in list(self.cohorts.values()):
            if state not in FINAL and cohort.state is CohortState.RUNNING:
                self.cohorts[cohort.id] = replace(cohort, state=CohortState.READY, driver=None)
            elif state in FINAL and cohort.state is not CohortState.DONE:
                self.cohorts[cohort.id] = replace(cohort, state=CohortState.DONE, driver=None)
        if state in FINAL:
            self.checkpoints.clear()
        for trial in list(self.trials.values()):
            if state in FINAL and not trial.state.finished:
                self.trials[trial.number] = trial._replace(
                    state=TrialState.FAIL,
                    reason=Reason.CANCELLED.value,
                    finished_at=now,
                    place=self._next_place(),
                )
                self._count(trial.state, TrialState.FAIL)
        if state in FINAL:
            self.leases.clear()
        self.lease_until = self.running_since = None
        if state is StudyState.QUEUED:
            self.queued_at_s = now_s()
        ended = state in (StudyState.COMPLETED, StudyState.FAILED)
        self.study = replace(
            self.study,
            since=len(self.trials) if ended else self.study.since,
            state=state,
            reason=reason,
            wanted=Wanted.NOTHING,
            driver=None,
            live={},
            seconds=seconds,
            finished_at=now if state in FINAL else None,
        )


def now_s() -> float:
    """Seconds since 1970."""
    return time.time()


def plain(data: Mapping[str, Any] | Sequence[Any]) -> Any:
    """A copy as the database would give it back: JSON types only."""
    return json.loads(json.dumps(data))


def study_of(id_: int, new: NewStudy) -> Study:
    """A new study, QUEUED."""
    return Study(
        id=id_,
        name=new.name,
        state=StudyState.QUEUED,
        reason=None,
        wanted=Wanted.NOTHING,
        direction=new.direction,
        metric=new.metric,
        n_trials=new.n_trials,
        counts={},
        spec=plain(new.spec),
        data=plain(new.data),
        folder=new.folder,
        owner=new.owner,
        priority=new.priority,
        labels=dict(new.labels),
        versions=dict(new.versions),
        driver=None,
        lease_left_s=None,
        test=None,
        seconds=0.0,
        created_at=datetime.now(UTC),
        started_at=None,
        finished_at=None,
        objectives=tuple(new.objectives),
        served=new.served and new.spec.get("trainer") != EXTERNAL,
    )


def _trial_of(plan: TrialPlan, cohort: int | None, now: datetime) -> Trial:
    return Trial(
        number=plan.number,
        state=TrialState.RUNNING,
        params=dict(plan.params),
        retry_of=plan.retry_of,
        cohort=cohort,
        started_at=now,
        budget=plan.epochs,
        sampled=plan.queued is None,
    )
