"""The verbs that move a study, told to a living driver or done here when nobody drives it."""

import pytest

from hpo.dataset import DatasetInfo, Task
from hpo.errors import DataChanged, IllegalMove, SpecError, StudyNotFound, StudyOwned
from hpo.service import lifecycle
from hpo.service.same_data import check_data
from hpo.states import StudyState, TrialState, Wanted
from tests.service.conftest import FILE

VERBS = {
    Wanted.PAUSE: StudyState.PAUSED,
    Wanted.STOP: StudyState.COMPLETED,
    Wanted.CANCEL: StudyState.CANCELLED,
}


def alive(driver):
    return True


def dead(driver):
    return False


def unknown(driver):
    return None


@pytest.mark.parametrize("wanted", VERBS)
def test_a_living_driver_is_left_word(storage, studies, me, other, wanted):
    studies.running(n_running=1)

    changed = lifecycle.wish(storage, "digits", wanted, me=me, is_alive=alive)

    assert changed.asked == other
    study = storage.get_study("digits")
    assert (study.state, study.wanted) == (StudyState.RUNNING, wanted)


@pytest.mark.parametrize(("wanted", "state"), VERBS.items())
def test_a_study_whose_driver_died_is_moved_here(storage, studies, me, wanted, state):
    studies.running(values=[0.5], n_running=2)

    changed = lifecycle.wish(storage, "digits", wanted, me=me, is_alive=dead)

    assert changed.asked is None
    study = storage.get_study("digits")
    assert (study.state, study.driver) == (state, None)
    assert study.counts[TrialState.COMPLETE] == 1


def test_a_driver_on_another_host_counts_as_living_while_its_lease_lasts(storage, studies, me, other):
    studies.running()

    assert lifecycle.wish(storage, "digits", Wanted.PAUSE, me=me, is_alive=unknown).asked == other


def test_a_paused_study_is_stopped_and_its_half_done_trials_end(storage, studies, me):
    claim = studies.running(values=[0.5], n_running=2)
    storage.release(claim, StudyState.PAUSED)

    lifecycle.wish(storage, "digits", Wanted.STOP, me=me, is_alive=dead)

    study = storage.get_study("digits")
    assert study.state is StudyState.COMPLETED
    assert study.counts.get(TrialState.RUNNING, 0) == 0


@pytest.mark.parametrize(("wanted", "state"), VERBS.items())
def test_asking_for_what_is_so_changes_nothing(storage, studies, me, wanted, state):
    studies.ended(values=[0.5], state=state)

    assert lifecycle.wish(storage, "digits", wanted, me=me, is_alive=alive).study.state is state


def test_a_study_that_ended_cannot_be_paused(storage, studies, me):
    studies.ended(values=[0.5])

    with pytest.raises(IllegalMove, match="COMPLETED"):
        lifecycle.wish(storage, "digits", Wanted.PAUSE, me=me, is_alive=alive)


def test_resume_names_the_living_process(storage, studies):
    studies.running()

    with pytest.raises(StudyOwned, match="process 2 on here"):
        lifecycle.resumable(storage, "digits", trials=None, is_alive=alive)


def test_resume_takes_over_from_a_dead_process_at_once(storage, studies, me, other):
    studies.running(values=[0.5], n_running=1)

    found = lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)
    lifecycle.reopen(storage, found)

    assert found.dead == other
    assert storage.claim_study("digits", me, dead=found.dead).driver == me


def test_resume_of_a_paused_study_makes_it_claimable(storage, studies, me):
    storage.release(studies.running(n_running=1), StudyState.PAUSED)

    found = lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)
    lifecycle.reopen(storage, found)

    assert storage.claim_study("digits", me).name == "digits"


def test_looking_whether_a_study_can_be_resumed_changes_nothing(storage, studies):
    storage.release(studies.running(n_running=1), StudyState.PAUSED)
    before = storage.get_study("digits")

    lifecycle.resumable(storage, "digits", trials=9, is_alive=dead)

    assert storage.get_study("digits") == before


def test_a_study_whose_time_is_used_up_is_not_resumed(storage, studies, me):
    studies.queued(text=f"{FILE}\nlimits: {{wall_time: 1e-9}}")
    claim = storage.claim_study("digits", me)
    storage.renew(claim)
    storage.release(claim, StudyState.COMPLETED)

    with pytest.raises(IllegalMove, match=r"used up its limits\.wall_time of 1e-09"):
        lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)


def test_a_completed_study_resumes_with_a_larger_total_only(storage, studies):
    studies.ended(values=[0.5, 0.6], n_trials=2)

    with pytest.raises(IllegalMove, match="--trials"):
        lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)
    with pytest.raises(IllegalMove, match="only goes up"):
        lifecycle.resumable(storage, "digits", trials=1, is_alive=dead)
    found = lifecycle.resumable(storage, "digits", trials=5, is_alive=dead)
    study = lifecycle.reopen(storage, found)

    assert (study.state, study.n_trials) == (StudyState.QUEUED, 5)
    assert found.spec.trials == 2  # the rounds of a search that is refined must not change


def test_a_study_that_was_stopped_early_resumes_with_the_trials_it_has_left(storage, studies):
    studies.ended(values=[0.5, 0.6], n_trials=4)

    found = lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)

    assert lifecycle.reopen(storage, found).state is StudyState.QUEUED


def test_a_cancelled_study_never_resumes(storage, studies):
    studies.ended(state=StudyState.CANCELLED)

    with pytest.raises(IllegalMove, match="for good"):
        lifecycle.resumable(storage, "digits", trials=None, is_alive=dead)


GRID = """
name: NAME
data: {source: digits}
sampler: grid
parameters: {learning_rate: [0.1, 0.01], hidden_units: [8, 16]}
trials: 4
"""


def test_a_full_grid_does_not_grow(storage, studies):
    studies.queued(text=GRID)

    with pytest.raises(IllegalMove, match="4 points"):
        lifecycle.resumable(storage, "digits", trials=5, is_alive=dead)


def test_other_data_than_the_study_began_with_are_refused(studies):
    study = studies.queued()

    with pytest.raises(DataChanged, match="put it back"):
        check_data(study, info_of("cd" * 32))
    check_data(study, info_of("ab" * 32))


def info_of(sha256):
    return DatasetInfo(
        source="digits",
        sha256=sha256,
        task=Task.CLASSIFICATION,
        task_reason="",
        target="digit",
        n_rows=10,
        n_features=2,
    )


def test_rm_removes_a_study_that_nobody_drives(storage, studies, me):
    studies.ended("ended", values=[0.5])
    studies.running("orphan", n_running=1)

    for name in ("ended", "orphan"):
        lifecycle.remove(storage, name, me=me, is_alive=dead)

    assert storage.list_studies() == []


def test_rm_refuses_a_study_that_is_being_run(storage, studies, me):
    studies.running(n_running=1)

    with pytest.raises(StudyOwned, match="hpo cancel"):
        lifecycle.remove(storage, "digits", me=me, is_alive=alive)
    assert storage.get_study("digits").state is StudyState.RUNNING


def test_a_verb_on_no_study_says_so(storage, me):
    with pytest.raises(StudyNotFound):
        lifecycle.wish(storage, "nothing", Wanted.PAUSE, me=me, is_alive=dead)
    with pytest.raises(StudyNotFound):
        lifecycle.remove(storage, "nothing", me=me, is_alive=dead)


@pytest.mark.parametrize("wanted", [Wanted.PAUSE, Wanted.CANCEL])
def test_a_finished_study_has_nothing_left_to_pause_or_cancel(storage, studies, me, wanted):
    storage.release(studies.running(), StudyState.COMPLETED)

    with pytest.raises(IllegalMove, match=f"is COMPLETED; there is nothing left to {wanted}"):
        lifecycle.wish(storage, "digits", wanted, me=me, is_alive=dead)


def test_a_stopping_study_is_not_paused_but_may_be_cancelled(storage, studies, me):
    storage.move_claimed(studies.running(), StudyState.STOPPING)

    with pytest.raises(IllegalMove, match="`hpo cancel digits` kills them"):
        lifecycle.wish(storage, "digits", Wanted.PAUSE, me=me, is_alive=alive)


def test_a_total_beyond_the_limit_is_refused(storage, studies):
    storage.release(studies.running(), StudyState.COMPLETED)

    with pytest.raises(SpecError, match="trials: must be <= 10,000,000"):
        lifecycle.resumable(storage, "digits", trials=10_000_001, is_alive=dead)
