"""A study of 100,000 trials is looked at and drawn as quickly as one of 1,000."""

import time
from contextlib import closing

import pytest

from hpo.cli.screen import Canvas, lines
from hpo.cli.sparkline import BestSoFar
from hpo.cohort import CohortPlan
from hpo.progress import Progress
from hpo.service import events, follow
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.testing.studies import SPACE, complete, driver, new_study, plans

SIZES = {"small": 1_000, "large": 100_000}
BATCH = 10_000
AT_MOST = 3.0  # times as long; what looks at every trial takes a hundred times as long


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Two running studies, one of 1,000 and one of 100,000 finished trials."""
    with closing(open_storage(f"sqlite:///{tmp_path_factory.mktemp('many')}/hpo.db")) as storage:
        for name, n_trials in SIZES.items():
            storage.create_study(new_study(name, n_trials=n_trials))
            claim = storage.claim_study(name, driver(name), lease_s=3600)
            for first in range(0, n_trials, BATCH):
                numbers = range(first, min(first + BATCH, n_trials))
                [cohort] = storage.plan_trials(
                    claim, SPACE, plans(first, len(numbers)), [CohortPlan(numbers=tuple(numbers))]
                )
                cohort = storage.start_cohort(claim, cohort.id)
                results = [complete(number, 7919 * number % n_trials / n_trials) for number in numbers]
                storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
        yield storage


def quickest(does, *, times):
    """Seconds of the quickest of several times: what else the machine does makes it longer, never shorter."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        does()
        found.append(time.perf_counter() - began)
    return min(found)


LOOKS = {
    "here": lambda storage, name: follow.progress(storage, name, is_alive=lambda _: True),
    "server": events.look,
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_costs_the_same(database, look):
    small, large = (quickest(lambda name=name: look(database, name), times=50) for name in SIZES)

    assert large < AT_MOST * small


def test_a_drawing_costs_the_same_however_often_the_best_value_moved():
    best = {n: BestSoFar() for n in SIZES.values()}
    told = {}
    for n, seen in best.items():
        for number in range(n):
            seen.note(number, float(number))
        told[n] = Progress(
            study="digits",
            state=StudyState.RUNNING,
            n_trials=n,
            counts={TrialState.COMPLETE: n},
            metric="loss",
            best_number=n,
            best_value=float(n),
        )

    small, large = (
        quickest(lambda n=n: lines(told[n], best[n], Canvas(width=79, height=24)), times=50) for n in best
    )

    assert large < AT_MOST * small
