"""A study looked at from another process."""

import pytest

from hpo.errors import StudyNotFound
from hpo.service import follow
from hpo.states import StudyState, TrialState
from hpo.storage.base import CoordinatorBeat
from hpo.testing.studies import begun, driver, new_study


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


def test_a_study_of_a_server_waits_for_a_coordinator_and_says_when_there_is_none(storage):
    storage.create_study(new_study("wine", served=True))
    alone = follow.progress(storage, "wine", is_alive=alive).message

    storage.beat(CoordinatorBeat(driver=driver(), version="1", pool="local", slots=[]))

    assert "`hpo serve` starts one" in alone
    assert follow.progress(storage, "wine", is_alive=alive).message is None


def test_a_coordinator_takes_over_what_another_one_left(storage):
    begun(storage, served=True)
    storage.beat(CoordinatorBeat(driver=driver(), version="1", pool="local", slots=[]))

    assert "a coordinator takes it over" in follow.progress(storage, "wine", is_alive=dead).message


def test_how_fast_a_study_goes_is_what_its_driver_last_said(storage):
    claim, _ = begun(storage)
    storage.renew(
        claim, live={"trials_per_s": 7.5, "model_steps_per_s": 900.0, "seconds_left": 3.0, "n_slots": 2}
    )

    progress = follow.progress(storage, "wine", is_alive=alive)

    assert (progress.trials_per_s, progress.model_steps_per_s) == (7.5, 900.0)
    assert (progress.seconds_left, progress.n_slots) == (3.0, 2)
