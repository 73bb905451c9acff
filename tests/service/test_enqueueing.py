"""Settings added to a study, and failed trials once more."""

import pytest

from hpo.errors import IllegalMove, SpecError, StudyNotFound, TrialNotFound
from hpo.service import enqueueing, lifecycle
from hpo.states import StudyState, TrialState
from hpo.storage.memory import Memory
from hpo.trial import TrialResult
from tests.service.conftest import Studies

GRID = """
name: NAME
data: {source: digits}
parameters: {dropout: [0.1, 0.2], optimizer: [sgd, adam]}
sampler: grid
trials: 4
"""


def alive(driver):
    return True


def dead(driver):
    return False


def failing(storage, studies, *reasons):
    """A COMPLETED study whose trials FAILed by these reasons (None: COMPLETE)."""
    claim = studies.running(n_running=len(reasons))
    [cohort] = storage.open_cohorts("digits")
    started = storage.start_cohort(claim, cohort.id)
    results = [
        TrialResult(number=n, state=TrialState.COMPLETE, value=0.5)
        if reason is None
        else TrialResult(number=n, state=TrialState.FAIL, reason=reason)
        for n, reason in enumerate(reasons)
    ]
    storage.finish_trials(claim, cohort.id, started.attempt, results, done=True)
    storage.release(claim, StudyState.COMPLETED)


def test_a_setting_raises_the_total_and_names_who_will_train_it(storage, studies, other):
    studies.running(n_running=1)

    done = enqueueing.enqueue(
        storage, "digits", [{"learning_rate": 0.01, "hidden_units": 32}], is_alive=alive
    )

    assert (done.study.n_trials, done.driver) == (5, other)
    assert done.settings == ({"learning_rate": 0.01},)
    assert [entry.params for entry in storage.queue("digits")] == [{"learning_rate": 0.01}]
    assert enqueueing.enqueue(storage, "digits", [{}], is_alive=dead).driver is None


def test_a_wrong_setting_leaves_all_of_them_out(storage, studies):
    studies.queued()

    with pytest.raises(SpecError) as caught:
        enqueueing.enqueue(storage, "digits", [{}, {"learning_rate": 5}], is_alive=alive)

    assert caught.value.field == "settings[1].learning_rate"
    assert storage.queue("digits") == []


def test_an_ended_study_waits_to_be_resumed_and_a_cancelled_one_takes_nothing(storage, studies):
    studies.ended(values=[0.5, 0.6, 0.7, 0.8])
    assert enqueueing.enqueue(storage, "digits", [{}], is_alive=dead).study.state is StudyState.QUEUED
    found = lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)
    assert found.n_trials == 5

    storage.move_study("digits", StudyState.CANCELLED)
    with pytest.raises(IllegalMove, match="for good"):
        enqueueing.enqueue(storage, "digits", [{}], is_alive=dead)
    with pytest.raises(StudyNotFound):
        enqueueing.enqueue(storage, "nobody", [{}], is_alive=dead)


def test_all_trials_are_retried_that_failed_by_no_fault_of_their_settings(storage, studies):
    reasons = ("error", None, "lost", "diverged@3", "out_of_memory", "infeasible", "cancelled")
    failing(storage, studies, *reasons)

    done = enqueueing.retry(storage, "digits", is_alive=dead)

    assert done.retry_of == (0, 2, 4)
    waiting = storage.queue("digits")
    assert [entry.retry_of for entry in waiting] == [0, 2, 4]
    assert waiting[0].params == storage.get_trial("digits", 0).params
    assert (done.study.n_trials, done.study.state) == (7, StudyState.QUEUED)


def test_a_trial_is_retried_once(storage, studies):
    failing(storage, studies, "error", "error")

    assert enqueueing.retry(storage, "digits", [1], is_alive=dead).retry_of == (1,)
    assert enqueueing.retry(storage, "digits", is_alive=dead).retry_of == (0,)
    assert enqueueing.retry(storage, "digits", is_alive=dead).settings == ()
    with pytest.raises(IllegalMove, match=r"trial 1 .* waits to be trained again"):
        enqueueing.retry(storage, "digits", [1], is_alive=dead)

    assert [entry.retry_of for entry in storage.queue("digits")] == [1, 0]


class Shared(Memory):
    """A storage in which somebody else retries trial 1, between our look and our word."""

    others_retry = False

    def enqueue(self, name, entries, *, served=None):
        if self.others_retry:
            self.others_retry = False
            enqueueing.retry(self, name, [1], is_alive=dead)
        return super().enqueue(name, entries, served=served)


def test_what_somebody_else_retries_meanwhile_is_left_to_them():
    storage = Shared()
    failing(storage, Studies(storage), "error", "error", "lost")

    storage.others_retry = True
    all_ = enqueueing.retry(storage, "digits", is_alive=dead)

    assert all_.retry_of == (0, 2)
    assert [entry.retry_of for entry in storage.queue("digits")] == [1, 0, 2]


def test_a_trial_that_somebody_else_retries_meanwhile_is_refused():
    storage = Shared()
    failing(storage, Studies(storage), "error", "error")

    storage.others_retry = True
    with pytest.raises(IllegalMove, match=r"trial 1 .* waits to be trained again"):
        enqueueing.retry(storage, "digits", [0, 1], is_alive=dead)

    assert [entry.retry_of for entry in storage.queue("digits")] == [1]


@pytest.mark.parametrize(
    ("reason", "sentence"), [("diverged@3", r"FAIL \(diverged@3\); only trials"), (None, "COMPLETE; only")]
)
def test_a_trial_that_would_end_the_same_way_is_not_retried(storage, studies, reason, sentence):
    failing(storage, studies, "error", reason)

    with pytest.raises(IllegalMove, match=sentence):
        enqueueing.retry(storage, "digits", [0, 1], is_alive=dead)
    with pytest.raises(TrialNotFound):
        enqueueing.retry(storage, "digits", [9], is_alive=dead)

    assert storage.queue("digits") == []


def test_a_grid_may_have_as_many_trials_as_points_and_enqueued_settings(storage, studies):
    studies.queued(text=GRID)
    storage.enqueue("digits", [({"dropout": 0.1}, None)])

    def total(trials):
        return lifecycle.resumable(storage, "digits", trials=trials, is_alive=dead).n_trials

    assert total(5) == 5
    with pytest.raises(IllegalMove, match="4 points"):
        total(6)
