"""A database in memory, and studies in it at any point of their life."""

from datetime import datetime

import pytest

from hpo.cohort import CohortPlan
from hpo.service import specfile
from hpo.states import StudyState, TrialState
from hpo.storage.base import ScoredTest
from hpo.storage.open import open_storage
from hpo.study import Direction, Driver, NewStudy
from hpo.trial import TrialPlan, TrialResult

ME = Driver(host="here", pid=1, born=1.0, token="me")
OTHER = Driver(host="here", pid=2, born=2.0, token="other")

FILE = """
name: NAME
data: {source: digits}
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  optimizer: [sgd, momentum]
  momentum: {low: 0.8, high: 0.99, when: {optimizer: [momentum]}}
  hidden_units: 32
trials: 4
"""


class Studies:
    """Puts studies into a storage."""

    def __init__(self, storage):
        self.storage = storage

    def queued(self, name="digits", *, n_trials=4, text=FILE, data=None):
        spec = specfile.parse(text.replace("NAME", name).replace("trials: 4", f"trials: {n_trials}"))
        return self.storage.create_study(
            NewStudy(
                name=name,
                direction=Direction.MAXIMIZE,
                metric="accuracy",
                n_trials=n_trials,
                spec=specfile.to_json(spec),
                data={"sha256": "ab" * 32, "source": "digits"} | (data or {}),
                folder="/data",
            )
        )

    def running(self, name="digits", *, values=(), n_running=0, driver=OTHER, n_trials=4):
        """A study that a driver runs, with finished trials of these values (None: FAIL) and running ones."""
        self.queued(name, n_trials=n_trials)
        claim = self.storage.claim_study(name, driver)
        space = specfile.from_json(self.storage.get_study(name).spec).parameters
        n = len(values) + n_running
        plans = [TrialPlan(number=i, params=params_of(i)) for i in range(n)]
        if plans:
            [cohort] = self.storage.plan_trials(claim, space, plans, [CohortPlan(numbers=tuple(range(n)))])
            cohort = self.storage.start_cohort(claim, cohort.id)
            results = [result_of(i, value) for i, value in enumerate(values)]
            self.storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=not n_running)
        return claim

    def ended(self, name="digits", *, values=(), state=StudyState.COMPLETED, test=None, n_trials=4):
        claim = self.running(name, values=values, n_trials=n_trials)
        made = None if test is None else ScoredTest(number=test[0], scores=test[1])
        return self.storage.release(claim, state, test=made)


def params_of(number):
    if number % 2:
        return {"learning_rate": 0.01, "optimizer": "momentum", "momentum": 0.9}
    return {"learning_rate": 0.001, "optimizer": "sgd"}


def result_of(number, value):
    if value is None:
        return TrialResult(number=number, state=TrialState.FAIL, reason="diverged@2", epochs=2)
    return TrialResult(
        number=number,
        state=TrialState.COMPLETE,
        value=value,
        best_epoch=3,
        epochs=5,
        facts={"initial_loss": 2.5, "dead_units": None},
    )


@pytest.fixture
def storage():
    storage = open_storage("memory://")
    yield storage
    storage.close()


@pytest.fixture
def studies(storage):
    return Studies(storage)


@pytest.fixture
def me():
    return ME


@pytest.fixture
def other():
    return OTHER


@pytest.fixture
def parse_time():
    """Reads what an answer gives as a time; fails on anything but ISO 8601 in UTC with Z."""

    def parse(text):
        assert text.endswith("Z")
        return datetime.fromisoformat(text)

    return parse
