"""Words said to a study at the very moment at which a driver takes it, or leaves it."""

import pytest

from hpo.account import ANYBODY
from hpo.errors import IllegalMove, StudyOwned
from hpo.service import acting, amending, lifecycle
from hpo.service.processes import this_process
from hpo.states import StudyState, Wanted
from hpo.storage.memory import Memory
from hpo.study import Driver
from tests.service.conftest import Studies

LATER = Driver(host="here", pid=3, born=3.0, token="later")
HERE = this_process()


class Busy(Memory):
    """A storage that others use too: `meanwhile` happens once, right after somebody looked at a study."""

    meanwhile = None
    looks = 1

    def get_study(self, name):
        study = super().get_study(name)
        self.looks -= 1
        if self.meanwhile is not None and self.looks <= 0:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return study


@pytest.fixture
def storage():
    return Busy()


def alive(driver):
    return True


def only_the_later(driver):
    return driver == LATER


@pytest.mark.parametrize("wanted", [Wanted.PAUSE, Wanted.CANCEL])
def test_a_word_for_a_waiting_study_reaches_the_driver_that_takes_it_meanwhile(storage, studies, me, wanted):
    studies.queued()
    storage.meanwhile = lambda: storage.claim_study("digits", LATER)

    changed = lifecycle.wish(storage, "digits", wanted, me=me, is_alive=alive)

    assert (changed.asked, changed.study.wanted) == (LATER, wanted)


@pytest.mark.parametrize("wanted", [Wanted.PAUSE, Wanted.STOP, Wanted.CANCEL])
def test_a_word_for_a_dead_driver_reaches_the_one_that_takes_over_meanwhile(
    storage, studies, me, other, wanted
):
    studies.running(n_running=1)
    storage.meanwhile = lambda: storage.claim_study("digits", LATER, dead=other)

    changed = lifecycle.wish(storage, "digits", wanted, me=me, is_alive=only_the_later)

    assert (changed.asked, changed.study.wanted) == (LATER, wanted)


def test_a_study_that_its_driver_leaves_meanwhile_is_moved_here(storage, studies, me):
    claim = studies.running(n_running=1)
    storage.meanwhile = lambda: storage.release(claim, StudyState.PAUSED)

    changed = lifecycle.wish(storage, "digits", Wanted.CANCEL, me=me, is_alive=alive)

    assert (changed.asked, changed.study.state) == (None, StudyState.CANCELLED)


def test_a_study_that_ends_meanwhile_cannot_be_cancelled(storage, studies, me):
    claim = studies.running(values=[0.5])
    storage.meanwhile = lambda: storage.release(claim, StudyState.COMPLETED)

    with pytest.raises(IllegalMove, match="is COMPLETED; there is nothing left to cancel"):
        lifecycle.wish(storage, "digits", Wanted.CANCEL, me=me, is_alive=alive)


def test_an_ended_study_with_more_trials_may_begin_by_itself_meanwhile(storage, studies):
    studies.ended(values=[0.5, 0.6])

    def goes_on():
        storage.move_study("digits", StudyState.QUEUED)
        storage.claim_study("digits", HERE)

    storage.looks, storage.meanwhile = 2, goes_on

    study = amending.amend(storage, ANYBODY, "digits", {"trials": 9})

    assert (study.state, study.n_trials, study.driver) == (StudyState.RUNNING, 9, HERE)


@pytest.fixture
def driven(storage, studies):
    """The claim of a server's study, driven by this process, which is alive."""
    studies.queued()
    storage.move_study("digits", StudyState.PAUSED)
    storage.move_study("digits", StudyState.QUEUED, served=True)
    return storage.claim_study("digits", HERE)


def test_resume_takes_back_a_pause_that_is_not_obeyed_yet(storage, driven):
    acting.act(storage, ANYBODY, "digits", "pause")

    study = acting.resume(storage, ANYBODY, "digits")

    assert (study.state, study.wanted) == (StudyState.RUNNING, Wanted.NOTHING)
    assert storage.renew(driven) is Wanted.NOTHING


def test_resume_of_a_study_that_is_paused_meanwhile_queues_it(storage, driven):
    acting.act(storage, ANYBODY, "digits", "pause")
    storage.looks, storage.meanwhile = (
        2,
        lambda: storage.release(driven, StudyState.PAUSED, obeys=Wanted.PAUSE),
    )

    assert acting.resume(storage, ANYBODY, "digits").state is StudyState.QUEUED


def test_resume_takes_back_a_pause_that_the_next_driver_would_obey(storage, driven, other):
    storage.want("digits", Wanted.PAUSE)
    storage.hand_over(driven)

    acting.resume(storage, ANYBODY, "digits")

    assert storage.renew(storage.claim_study("digits", other)) is Wanted.NOTHING


@pytest.mark.parametrize(
    ("said", "sentence"), [("stop", "is stopping: its running trials finish"), ("cancel", "for good")]
)
@pytest.mark.parametrize("later", ["resume", "pause"])
def test_a_study_that_is_to_end_does_not_go_on(storage, driven, said, sentence, later):
    acting.act(storage, ANYBODY, "digits", said)

    with pytest.raises(IllegalMove, match=sentence):
        acting.resume(storage, ANYBODY, "digits") if later == "resume" else acting.act(
            storage, ANYBODY, "digits", later
        )

    assert storage.renew(driven) == said


def test_a_terminals_study_is_its_own_however_often_one_looks(storage, studies):
    studies.queued()
    storage.claim_study("digits", HERE)

    with pytest.raises(StudyOwned, match="is running study 'digits'"):
        acting.resume(storage, ANYBODY, "digits")


@pytest.fixture
def studies(storage):
    return Studies(storage)
