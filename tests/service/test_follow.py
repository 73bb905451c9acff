"""A study looked at from another process."""

import pytest

from hpo.errors import StudyNotFound
from hpo.service import follow
from hpo.states import StudyState, TrialState


def alive(driver):
    return True


def dead(driver):
    return False


def test_progress_counts_and_names_the_best(storage, studies):
    studies.running(values=[0.5, 0.9, None], n_running=1)

    progress = follow.progress(storage, "digits", is_alive=alive)

    assert (progress.n_finished, progress.n_trials) == (3, 4)
    assert progress.counts[TrialState.RUNNING] == 1
    assert (progress.best_number, progress.best_value) == (1, 0.9)
    assert progress.message is None


def test_a_study_whose_driver_died_says_how_to_go_on(storage, studies):
    studies.running(values=[0.5])

    message = follow.progress(storage, "digits", is_alive=dead).message

    assert "process 2 on here" in message
    assert "hpo resume digits" in message


def test_a_study_that_nobody_runs_says_so(storage, studies):
    studies.queued()

    assert "hpo resume digits" in follow.progress(storage, "digits", is_alive=alive).message


def test_a_study_at_rest_has_nothing_to_say(storage, studies):
    studies.ended(values=[0.5])

    progress = follow.progress(storage, "digits", is_alive=dead)

    assert progress.state is StudyState.COMPLETED
    assert progress.state in follow.RESTING
    assert progress.message is None


def test_no_study_is_not_found(storage):
    with pytest.raises(StudyNotFound):
        follow.progress(storage, "nothing", is_alive=alive)
