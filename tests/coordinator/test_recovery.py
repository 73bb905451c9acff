"""What is to be done about work that did not end."""

import pytest

from hpo.cohort import Cohort
from hpo.coordinator.recovery import GiveUp, Halve, TrainAgain, after_failure, what_is_left
from hpo.states import CohortState, Reason, TrialState
from hpo.trial import Trial


@pytest.mark.parametrize(
    ("reason", "n_trials", "losses", "step"),
    [
        ("lost", 32, 1, TrainAgain()),
        ("lost", 32, 2, TrainAgain()),
        ("lost", 32, 3, Halve()),
        ("lost", 1, 3, GiveUp(Reason.LOST)),
        ("cancelled", 1, 1, TrainAgain()),
        ("out_of_memory", 32, 0, Halve()),
        ("out_of_memory", 1, 0, GiveUp(Reason.OUT_OF_MEMORY)),
        ("error", 32, 0, GiveUp(Reason.ERROR)),
    ],
)
def test_what_happens_to_a_cohort_that_did_not_end(reason, n_trials, losses, step):
    assert after_failure(reason, n_trials=n_trials, losses=losses, retries=2) == step


def test_without_retries_nothing_that_was_lost_is_trained_again():
    assert after_failure("lost", n_trials=32, losses=1, retries=0) == GiveUp(Reason.LOST)


def cohort(number: int, state: CohortState, numbers: tuple[int, ...]) -> Cohort:
    return Cohort(id=number, study=1, state=state, attempt=1, epoch=0, driver=None, numbers=numbers)


def running(number: int) -> Trial:
    return Trial(number=number, state=TrialState.RUNNING, params={})


def test_only_trials_without_a_result_are_left():
    cohorts = [cohort(1, CohortState.RUNNING, (0, 2)), cohort(2, CohortState.READY, (1, 3))]

    left = what_is_left(cohorts, map(running, [2, 3]), stopping=False)

    assert [(c.id, [trial.number for trial in trials]) for c, trials in left] == [(1, [2]), (2, [3])]


def test_a_study_that_is_stopping_leaves_what_never_began():
    cohorts = [cohort(1, CohortState.RUNNING, (0,)), cohort(2, CohortState.READY, (1,))]

    left = what_is_left(cohorts, map(running, [0, 1]), stopping=True)

    assert [c.id for c, _ in left] == [1]
