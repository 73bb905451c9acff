"""A Storage in memory: the database's twin, for tests and for searches that nobody wants to keep."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from hpo.cohort import Cohort, CohortPlan
from hpo.errors import (
    DatasetNotFound,
    LeaseLost,
    SpecError,
    StudyExists,
    StudyNotFound,
    TrialNotFound,
)
from hpo.space import SearchSpace
from hpo.states import FINAL, CohortState, StudyState, TrialState, Wanted, check_move
from hpo.storage.base import LEASE_S, Claim, ScoredTest, StoredDataset, StoredModel, TrialQuery
from hpo.storage.memory_study import KeptStudy, plain, study_of
from hpo.storage.rules import (
    HEEDS_WISHES,
    check_new_total,
    check_not_driven,
    check_plan,
    check_unused,
    state_once_claimed,
    storable,
)
from hpo.study import Direction, Driver, NewStudy, Study
from hpo.trial import Curve, Trial, TrialPlan, TrialResult

CHUNK_BYTES = 1 << 20
P = ParamSpec("P")
R = TypeVar("R")


_ORDERS: dict[str, Callable[[Trial], Any]] = {
    "number": lambda t: t.number,
    "-number": lambda t: -t.number,
    "value": lambda t: (t.value is None, t.value or 0.0, t.number),
    "-value": lambda t: (t.value is None, -(t.value or 0.0), t.number),
}


def _alone(
    method: Callable[Concatenate[Memory, P], R],
) -> Callable[Concatenate[Memory, P], R]:
    """One call at a time, as one transaction."""

    @wraps(method)
    def locked(self: Memory, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            return method(self, *args, **kwargs)

    return locked


class Memory:
    """A Storage in this process's memory; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._studies: dict[str, KeptStudy] = {}
        self._datasets: dict[str, tuple[StoredDataset, bytes]] = {}
        self._last_study = 0
        self._last_cohort = 0

    # Studies

    @_alone
    def create_study(self, new: NewStudy) -> Study:
        """A new study, QUEUED."""
        if new.name in self._studies:
            raise StudyExists(f"a study called {new.name!r} exists already; choose another name")
        self._last_study += 1
        self._studies[new.name] = kept = KeptStudy(study_of(self._last_study, new))
        return kept.now()

    @_alone
    def get_study(self, name: str) -> Study:
        """The study of that name."""
        return self._find(name).now()

    def _find(self, name: str) -> KeptStudy:
        if name not in self._studies:
            raise StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")
        return self._studies[name]

    @_alone
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

    @_alone
    def want(self, name: str, wanted: Wanted) -> Study:
        """Leave word for the study's driver."""
        kept = self._find(name)
        if kept.study.state in HEEDS_WISHES:
            kept.study = replace(kept.study, wanted=wanted)
        return kept.now()

    @_alone
    def move_study(self, name: str, state: StudyState, *, reason: str | None = None) -> Study:
        """Move a study that nobody drives."""
        kept = self._find(name)
        check_not_driven(kept.now())
        check_move(name, kept.study.state, state)
        kept.leave(state, reason)
        return kept.now()

    @_alone
    def set_trials(self, name: str, n_trials: int) -> Study:
        """Raise the total of trials."""
        kept = self._find(name)
        check_new_total(kept.study, n_trials)
        kept.study = replace(kept.study, n_trials=n_trials)
        return kept.now()

    @_alone
    def delete_study(self, name: str) -> None:
        """Remove a study with all that is its own."""
        check_not_driven(self._find(name).now())
        del self._studies[name]

    # Driving a study

    @_alone
    def claim_study(
        self, name: str, driver: Driver, *, dead: Driver | None = None, lease_s: float = LEASE_S
    ) -> Claim:
        """Take a study to RUNNING."""
        kept = self._find(name)
        before = kept.now()
        state = state_once_claimed(before, dead)
        kept.attempt += 1
        kept.running_since = time.time()
        kept.lease_until = kept.running_since + lease_s
        kept.study = replace(
            before,
            state=state,
            reason=None,
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

    @_alone
    def renew(self, claim: Claim, *, lease_s: float = LEASE_S) -> Wanted:
        """Keep the claim; what is wanted."""
        kept = self._fence(claim)
        now = time.time()
        spent = kept.study.seconds + now - (kept.running_since or now)
        kept.study = replace(kept.study, seconds=spent)
        kept.running_since, kept.lease_until = now, now + lease_s
        return kept.study.wanted

    @_alone
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

    @_alone
    def move_claimed(self, claim: Claim, state: StudyState) -> Study:
        """Move a driven study."""
        kept = self._fence(claim)
        check_move(claim.name, kept.study.state, state)
        kept.study = replace(kept.study, state=state)
        return kept.now()

    # Trials and cohorts of a driven study

    @_alone
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

    @_alone
    def open_cohorts(self, name: str) -> list[Cohort]:
        """The cohorts that are not DONE, by id."""
        return [c for c in self._find(name).cohorts.values() if c.state is not CohortState.DONE]

    @_alone
    def unfinished(self, name: str) -> list[Trial]:
        """The RUNNING trials by number."""
        return [t for t in self._find(name).trials.values() if t.state is TrialState.RUNNING]

    @_alone
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

    @_alone
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

    @_alone
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

    @_alone
    def save_model(self, claim: Claim, model: StoredModel) -> None:
        """Keep a model in place of an earlier one."""
        self._fence(claim).model = model

    # Reading

    @_alone
    def trials(self, name: str, query: TrialQuery = TrialQuery()) -> list[Trial]:  # noqa: B008 - frozen
        """Trials of a study."""
        found = [t for t in self._find(name).trials.values() if not query.states or t.state in query.states]
        if query.sort not in _ORDERS:
            raise SpecError(f"trials are sorted by {', '.join(_ORDERS)}; got {query.sort!r}", field="sort")
        found.sort(key=_ORDERS[query.sort])
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end]

    @_alone
    def get_trial(self, name: str, number: int) -> Trial:
        """One trial."""
        kept = self._find(name)
        if number not in kept.trials:
            raise TrialNotFound(f"study {name!r} has no trial {number}")
        return kept.trials[number]

    @_alone
    def best_trials(self, name: str, n: int = 1) -> list[Trial]:
        """The best COMPLETE trials."""
        maximize = self._find(name).study.direction is Direction.MAXIMIZE
        query = TrialQuery(states=(TrialState.COMPLETE,), sort="-value" if maximize else "value", limit=n)
        return [trial for trial in self.trials(name, query) if trial.value is not None]

    @_alone
    def curve(self, name: str, number: int) -> Curve | None:
        """The curve of a finished trial."""
        self.get_trial(name, number)
        return self._find(name).curves.get(number)

    @_alone
    def model(self, name: str) -> StoredModel | None:
        """The kept model."""
        return self._find(name).model

    # Data sets

    @_alone
    def add_dataset(self, name: str, chunks: Iterable[bytes], info: Mapping[str, Any]) -> StoredDataset:
        """Keep bytes, by SHA-256."""
        data = b"".join(chunks)
        sha256 = hashlib.sha256(data).hexdigest()
        new = StoredDataset(
            id=f"ds_{sha256[:16]}", name=name, sha256=sha256, n_bytes=len(data), info=plain(info)
        )
        return self._datasets.setdefault(new.id, (new, data))[0]

    @_alone
    def list_datasets(self) -> list[StoredDataset]:
        """All uploaded data sets, by name."""
        return sorted((kept for kept, _ in self._datasets.values()), key=lambda kept: kept.name)

    def _dataset(self, key: str) -> tuple[StoredDataset, bytes]:
        for kept, data in reversed(self._datasets.values()):
            if key in (kept.id, kept.name):
                return kept, data
        raise DatasetNotFound(f"no data set is called {key!r}; `hpo data ls` shows what there is")

    @_alone
    def get_dataset(self, key: str) -> StoredDataset:
        """By id or name."""
        return self._dataset(key)[0]

    @_alone
    def read_dataset(self, key: str) -> Iterator[bytes]:
        """Its bytes in chunks of at most 1 MiB."""
        data = self._dataset(key)[1]
        return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))

    @_alone
    def delete_dataset(self, key: str) -> None:
        """Remove it."""
        found = self._dataset(key)[0]
        for kept in self._studies.values():
            if kept.study.state not in FINAL:
                check_unused(found, kept.study.name, kept.study.spec)
        del self._datasets[found.id]

    def close(self) -> None:
        """Nothing to let go of."""
