"""Made-up studies for benchmarks of the API, as a coordinator would have written them."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.cohort import Cohort, CohortPlan
from hpo.data.prepare import describe
from hpo.service import specfile, submit
from hpo.space import Params
from hpo.states import TrialState
from hpo.storage.base import Claim, Storage
from hpo.study import Driver
from hpo.trial import TrialPlan, TrialResult

BATCH = 1_000
OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop")
FILE: dict[str, Any] = {
    "data": {"source": "digits"},
    "epochs": 30,
    "parameters": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "l2": {"low": 1e-6, "high": 1e-2, "log": True},
        "dropout": {"low": 0.0, "high": 0.5},
        "hidden_units": {"low": 16, "high": 256, "log": True, "type": "int"},
        "optimizer": list(OPTIMIZERS),
    },
}


def settings(rng: random.Random) -> Params:
    """Made-up values of a trial."""
    return {
        "learning_rate": 10 ** rng.uniform(-4, -1),
        "l2": 10 ** rng.uniform(-6, -2),
        "dropout": rng.uniform(0, 0.5),
        "hidden_units": rng.randrange(16, 257),
        "optimizer": rng.choice(OPTIMIZERS),
    }


def result(number: int, rng: random.Random) -> TrialResult:
    """A made-up result; accuracies on 360 rows, so many are equal."""
    value = rng.randrange(361) / 360
    facts = {"initial_loss": 2.4 + rng.random(), "dead_units": 0.01, "gradient_first": rng.random()}
    steps = {step: value * step / 20 for step in (5, 10, 15, 20)}
    return TrialResult(
        number=number,
        state=TrialState.COMPLETE,
        value=value,
        best_epoch=20,
        epochs=30,
        steps=steps,
        facts=facts,
    )


def begin(storage: Storage, name: str, n_trials: int) -> tuple[Claim, Any]:
    """A study that is driven by this process, and its search space."""
    spec = specfile.from_json(FILE | {"name": name, "trials": n_trials})
    assert spec.data is not None
    draft = submit.Draft(spec=spec, folder=Path(), stem=name)
    _, spec = submit.create(storage, draft, describe(spec.data, Path()))
    me = Driver(host=platform.node(), pid=os.getpid(), born=0.0, token=name)
    return storage.claim_study(name, me, lease_s=3600), spec.parameters


def plan(storage: Storage, claim: Claim, space: Any, first: int, n: int, rng: random.Random) -> Cohort:
    """n trials from a number on, in a cohort that runs."""
    numbers = tuple(range(first, first + n))
    plans = [TrialPlan(number=number, params=settings(rng)) for number in numbers]
    [cohort] = storage.plan_trials(claim, space, plans, [CohortPlan(numbers=numbers)])
    return storage.start_cohort(claim, cohort.id)


def fill(
    storage: Storage, name: str, n_trials: int, result: Callable[[int, random.Random], TrialResult] = result
) -> None:
    """A study whose trials are all finished."""
    rng = random.Random(0)
    claim, space = begin(storage, name, n_trials)
    for first in range(0, n_trials, BATCH):
        cohort = plan(storage, claim, space, first, min(BATCH, n_trials - first), rng)
        results = [result(number, rng) for number in cohort.numbers]
        storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
