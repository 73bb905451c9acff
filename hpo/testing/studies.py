"""Builders: studies, drivers, plans and results for tests of whatever stores or drives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpo.cohort import Cohort, CohortPlan
from hpo.service import specfile
from hpo.space import Choice, Range, SearchSpace
from hpo.states import TrialState
from hpo.storage.base import Claim, Storage
from hpo.study import Direction, Driver, NewStudy
from hpo.trial import TrialPlan, TrialResult

SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-4, high=1e-1, log=True, type="float"),
        "hidden_units": Range(low=16, high=256, type="int"),
        "optimizer": Choice(choices=("sgd", "adam")),
    }
)
GONE = -1.0  # a lease that has run out the moment it is given: no test sleeps


def new_study(name: str = "wine", **changes: Any) -> NewStudy:
    """A study to create."""
    columns: dict[str, Any] = {
        "direction": Direction.MAXIMIZE,
        "metric": "accuracy",
        "n_trials": 8,
        "spec": {"data": {"source": "wine"}, "epochs": 5, "description": "größer"},
        "data": {"sha256": "00"},
        **changes,
    }
    return NewStudy(name=name, **columns)


def driver(token: str = "first", pid: int = 7) -> Driver:
    """A process that runs studies."""
    return Driver(host="node", pid=pid, born=1_700_000_000.25, token=token)


def plans(first: int, n: int) -> list[TrialPlan]:
    """Plans of consecutive numbers."""
    return [
        TrialPlan(
            number=number,
            params={"learning_rate": 0.01, "hidden_units": 16 + number, "optimizer": "adam"},
        )
        for number in range(first, first + n)
    ]


def complete(number: int, value: float, **changes: Any) -> TrialResult:
    """A trial that ended well."""
    columns: dict[str, Any] = {"epochs": 5, "best_epoch": 3, "steps": {1: value / 2, 3: value}, **changes}
    return TrialResult(number=number, state=TrialState.COMPLETE, value=value, **columns)


def begun(storage: Storage, n: int = 4, name: str = "wine", **changes: Any) -> tuple[Claim, Cohort]:
    """A claimed study with n running trials in one started cohort."""
    storage.create_study(new_study(name, **changes))
    claim = storage.claim_study(name, driver())
    [cohort] = storage.plan_trials(claim, SPACE, plans(0, n), [CohortPlan(numbers=tuple(range(n)))])
    return claim, storage.start_cohort(claim, cohort.id)


def finished(storage: Storage, values: Sequence[float], **changes: Any) -> Claim:
    """A claimed study whose trials are COMPLETE with these values."""
    claim, cohort = begun(storage, len(values), **changes)
    results = [complete(number, value) for number, value in enumerate(values)]
    storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
    return claim


def trained(storage: Storage, name: str, plans: Sequence[TrialPlan], results: Sequence[TrialResult]) -> Claim:
    """Claim a study whose file is stored with it, plan trials of it and finish them."""
    claim = storage.claim_study(name, driver())
    space = specfile.from_json(storage.get_study(name).spec).parameters
    cohorts = [CohortPlan(numbers=tuple(plan.number for plan in plans))]
    [cohort] = storage.plan_trials(claim, space, plans, cohorts)
    cohort = storage.start_cohort(claim, cohort.id)
    storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
    return claim


def numbers(trials: Sequence[Any]) -> list[int]:
    """Their numbers, in order."""
    return [trial.number for trial in trials]


def counted(counts: Mapping[TrialState, int]) -> dict[str, int]:
    """Counters that are not 0, by name."""
    return {state.value: n for state, n in counts.items() if n}
