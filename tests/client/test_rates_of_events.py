"""The rate and the time left that a follower of a server's events is shown, worked out by hand."""

from dataclasses import replace

from hpo.client.following import progress_of, updated
from hpo.progress import Event

RECORD = {
    "name": "digits",
    "state": "RUNNING",
    "n_trials": 100,
    "states": {"RUNNING": 8},
    "metric": "accuracy",
    "value": None,
    "best_number": None,
    "seconds": 0.0,
    "live": {"n_slots": 8, "n_busy": 8},
    "driver": None,
}


def event(complete, rate, left):
    data = {
        "n_trials": 100,
        "counts": {"COMPLETE": complete, "RUNNING": 8},
        "best": {"number": 2, "value": 0.9} if complete else None,
        "trials_per_s": rate,
        "model_steps_per_s": 500.0,
        "seconds_left": left,
    }
    return Event(id=str(complete), kind="progress", data=data)


def test_there_is_no_rate_and_no_time_left_before_a_trial_has_ended():
    found = progress_of(updated(RECORD, event(0, 0.0, None)))

    assert (found.trials_per_s, found.seconds_left) == (0.0, None)


def test_the_time_left_follows_from_the_rate():
    record = updated(updated(RECORD, event(0, 0.0, None)), event(20, 4.0, None))
    found = progress_of(record)

    assert (found.trials_per_s, found.model_steps_per_s) == (4.0, 500.0)
    assert found.seconds_left == 20.0  # 100 - 20 trials at 4 a second


def test_slots_are_those_of_the_event():
    told = event(20, 4.0, 20.0)
    record = updated(RECORD, replace(told, data={**told.data, "n_slots": 4, "n_busy": 3}))

    assert (progress_of(RECORD).n_slots, progress_of(RECORD).n_busy) == (8, 8)
    assert (progress_of(record).n_slots, progress_of(record).n_busy) == (4, 3)


def test_a_server_that_tells_no_slots_leaves_none_of_an_earlier_moment():
    assert progress_of(updated(RECORD, event(20, 4.0, 20.0))).n_slots == 0
