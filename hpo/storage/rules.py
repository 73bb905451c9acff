"""What every storage decides alike: who may claim, what may be planned, how a result is made storable."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from hpo.account import Quota, Usage
from hpo.cohort import Cohort, CohortPlan
from hpo.errors import DatasetNotFound, IllegalMove, KeyReused, QuotaReached, SpecError, StudyOwned
from hpo.front import pareto_front
from hpo.states import FINAL, Reason, StudyState, TrialState, Wanted, check_move
from hpo.storage.base import Amendment, Once, StoredDataset
from hpo.study import MAX_TRIALS, Direction, Driver, Study
from hpo.trial import Trial, TrialPlan, TrialResult

SEEN_S = 15.0  # after that a coordinator that said nothing, it does so every second, is not there
DRIVEN = frozenset({StudyState.RUNNING, StudyState.STOPPING})
HEEDS_WISHES = DRIVEN | {StudyState.QUEUED}


def is_driven(study: Study) -> bool:
    """Whether a driver holds a lease on the study that has not run out."""
    return study.driver is not None and (study.lease_left_s or 0.0) > 0.0


def check_not_driven(study: Study) -> None:
    """Raises StudyOwned, naming the driver, while one holds a lease on the study."""
    if is_driven(study):
        raise StudyOwned(f"study {study.name!r} is being run by {study.driver}; pause or cancel it first")


def state_once_claimed(study: Study, dead: Driver | None) -> StudyState:
    """The state a study has after a claim. Raises StudyOwned while another driver lives, IllegalMove."""
    if study.external:
        raise IllegalMove(f"trials of study {study.name!r} are trained elsewhere: it is never driven")
    if study.state in DRIVEN:
        if is_driven(study) and study.driver != dead:
            raise StudyOwned(f"study {study.name!r} is being run by {study.driver}")
        return study.state
    check_move(study.name, study.state, StudyState.RUNNING)
    return StudyState.RUNNING


# What becomes of a study that was being paused when somebody said something else.
_SAID_SINCE: dict[Wanted, StudyState] = {
    Wanted.NOTHING: StudyState.QUEUED,
    Wanted.STOP: StudyState.COMPLETED,
    Wanted.CANCEL: StudyState.CANCELLED,
}


def state_once_left(study: Study, state: StudyState, obeys: Wanted) -> StudyState:
    """The state a study has once its driver left it: who said something else while it was being paused has his way.

    obeys: the word that the driver had found, if there was one: only that can have been taken back.
    Raises IllegalMove.
    """
    left = state
    if state is StudyState.PAUSED and (obeys is Wanted.PAUSE or study.wanted is Wanted.CANCEL):
        left = _SAID_SINCE.get(study.wanted, state)
    check_move(study.name, study.state, state if left is StudyState.QUEUED else left)  # by way of PAUSED
    return left


def check_new_total(study: Study, n_trials: int) -> None:
    """Raises IllegalMove when the total of trials would fall, or the study is CANCELLED."""
    if study.state is StudyState.CANCELLED:
        raise IllegalMove(
            f"study {study.name!r} is CANCELLED for good; `hpo fork {study.name}` makes a new one of it"
        )
    if n_trials < study.n_trials:
        raise IllegalMove(
            f"the total of trials only goes up: study {study.name!r} has {study.n_trials}, got {n_trials}"
        )


def check_enqueue(study: Study, n: int) -> None:
    """Raises IllegalMove when a study takes no further settings, SpecError when n more would be too many."""
    if study.state is StudyState.CANCELLED:
        raise IllegalMove(
            f"study {study.name!r} is CANCELLED for good; `hpo fork {study.name}` makes a new one of it"
        )
    if study.state is StudyState.STOPPING:
        raise IllegalMove(f"study {study.name!r} is stopping; enqueue again when it has")
    if study.n_trials + n > MAX_TRIALS:
        raise SpecError(f"must be <= {MAX_TRIALS:,}, got {study.n_trials + n}", field="trials")


def check_not_retried(name: str, numbers: Sequence[int], retried: Collection[int | None]) -> None:
    """Raises IllegalMove where one of the failed trials is trained once more already, or waits to be."""
    again = [number for number in numbers if number in retried]
    if again:
        raise IllegalMove(
            f"of study {name!r} trials {_some(again)} were retried already; each is retried once"
        )


def check_queued(ids: Sequence[int], known: Collection[int]) -> None:
    """Raises ValueError unless each id is known and stands there once."""
    gone = [id_ for id_ in ids if id_ not in known]
    if gone or len(set(ids)) < len(ids):
        raise ValueError(f"entries {_some(gone or list(ids))} are not in the queue, or are taken twice")


def check_plan(first: int, plans: Sequence[TrialPlan], cohorts: Sequence[CohortPlan]) -> None:
    """Raises ValueError unless plans are first, first + 1, … and each stands in exactly one cohort."""
    numbers = [plan.number for plan in plans]
    if numbers != list(range(first, first + len(plans))):
        raise ValueError(f"the next trial number is {first}, got {_some(numbers)}")
    if sorted(chain.from_iterable(c.numbers for c in cohorts)) != numbers:
        raise ValueError(f"cohorts must cover trials {_some(numbers)} exactly once")
    for cohort in cohorts:
        if list(cohort.numbers) != sorted(cohort.numbers) or not cohort.numbers:
            raise ValueError(f"a cohort's numbers must ascend, got {_some(list(cohort.numbers))}")


def planned_before(
    plans: Sequence[TrialPlan],
    cohorts: Sequence[CohortPlan],
    last: Sequence[Trial],
    unfinished: Sequence[Cohort],
) -> list[Cohort]:
    """The cohorts of plans that have been carried out, only the answer was lost; none where they have not.

    last: the study's trials from the first of the plans on; unfinished: its cohorts that are not DONE
    """
    said = [(p.number, p.params, p.retry_of, p.epochs, p.queued is None) for p in plans]
    if said != [(t.number, t.params, t.retry_of, t.budget, t.sampled) for t in last]:
        return []
    fresh = {(c.numbers, c.repeats, c.folds): c for c in unfinished if c.attempt == 0}
    found = [fresh.get((c.numbers, c.repeats, c.folds)) for c in cohorts]
    return [cohort for cohort in found if cohort is not None] if None not in found else []


def _some(numbers: list[int]) -> str:
    """At most the first few numbers, for a message."""
    return ", ".join(map(str, numbers[:5])) + (", …" if len(numbers) > 5 else "") if numbers else "none"


def storable(result: TrialResult) -> TrialResult:
    """The result as it can be kept. A FAIL has no value; COMPLETE without a number is a FAIL, as in Optuna.

    Raises ValueError when the state is not final.
    """
    if not result.state.finished:
        raise ValueError(f"trial {result.number} cannot end {result.state}")
    numbers = values_of(result)
    missing = not numbers or any(math.isnan(number) for number in numbers)
    if result.state is TrialState.COMPLETE and missing:
        reason = result.reason or Reason.ERROR.value
        return replace(result, state=TrialState.FAIL, reason=reason, value=None, stderr=None, values=())
    if result.state is TrialState.FAIL or missing:
        return replace(result, value=None, stderr=None, values=())
    return result


def values_of(result: TrialResult) -> tuple[float, ...]:
    """The values of a result by objective; none when it has no value."""
    return result.values or (() if result.value is None else (result.value,))


def directions_of(study: Study) -> list[Direction]:
    """The direction of each objective."""
    return [o.direction or study.direction for o in study.objectives] or [study.direction]


def front_of(points: Mapping[int, tuple[float, ...]], directions: Sequence[Direction]) -> list[int]:
    """The numbers on the Pareto front, by the first objective; what is not finite is never on it.

    points: number -> values, by number
    """
    sound = [number for number, values in points.items() if all(map(math.isfinite, values))]
    front = pareto_front([points[number] for number in sound], directions)
    return [sound[place] for place in front]


def finite(number: float | None) -> float | None:
    """The number, or None for NaN and the infinities.

    >>> finite(1.5), finite(float("inf")), finite(None)
    (1.5, None, None)
    """
    return number if number is not None and math.isfinite(number) else None


def facts_of(result: TrialResult) -> dict[str, float | None]:
    """A trial's facts as JSON can hold them: NaN and the infinities are None."""
    return {name: finite(value) for name, value in result.facts.items()}


def check_unused(dataset: StoredDataset, study: str, spec: Mapping[str, Any]) -> None:
    """Raises IllegalMove when the file of a study that is not final names the data set as its source."""
    if (spec.get("data") or {}).get("source") in (dataset.id, dataset.name):
        raise IllegalMove(f"study {study!r} uses data set {dataset.name!r} ({dataset.id}) and is not final")


def amended_spec(spec: Mapping[str, Any], changes: Amendment) -> dict[str, Any]:
    """A study file with what is given in place of what it said; its `trials` stay: rounds of a sampler hang on them.

    >>> amended_spec({"seed": 1, "priority": 0}, Amendment(priority=2, limits={"parallel": 8}))
    {'seed': 1, 'priority': 2, 'limits': {'parallel': 8}}
    """
    given = {"priority": changes.priority, "labels": changes.labels, "limits": changes.limits}
    return {**spec, **{name: value for name, value in given.items() if value is not None}}


def check_same(once: Once, digest: str) -> None:
    """Raises KeyReused unless a request says what the one before it with the same key said."""
    if once.digest != digest:
        raise KeyReused(
            f"the Idempotency-Key {once.key!r} came with another request before; use a new one for this"
        )


def check_quota(owner: str, quota: Quota, used: Usage, more: Usage) -> None:
    """Raises QuotaReached when more is too much for an owner. used: what they have now."""
    if more.studies and quota.studies is not None and used.studies + more.studies > quota.studies:
        have = "1 study that is" if used.studies == 1 else f"{used.studies} studies that are"
        raise QuotaReached(
            f"{owner} has {have} not final, and may have {quota.studies}; wait for one to end, or cancel one"
        )
    if more.trials > 0 and quota.trials is not None and used.trials + more.trials > quota.trials:
        raise QuotaReached(
            f"{owner} may have {quota.trials} trials in studies that are not final, and has {used.trials}; "
            f"{more.trials} more are too many: wait for a study to end, or ask for fewer"
        )


def growth(study: Study, n_trials: int, *, wakes: bool) -> Usage:
    """By how much its owner has more once a study has that total. wakes: whether it goes on if it is final now."""
    if study.state not in FINAL:
        return Usage(studies=0, trials=n_trials - study.n_trials)
    return Usage(studies=1, trials=n_trials) if wakes else Usage(studies=0, trials=0)


def uploaded_source(spec: Mapping[str, Any]) -> str | None:
    """The id of the uploaded data set that a study file names; None when its data is not uploaded."""
    source = (spec.get("data") or {}).get("source")
    return source if isinstance(source, str) and source.startswith("ds_") else None


def dataset_gone(source: str) -> DatasetNotFound:
    """What to raise when an uploaded data set that a study file names is not there."""
    return DatasetNotFound(f"no data set is called {source!r}; `hpo data ls` shows what there is")
