"""A study at rest trains nothing: what it has handed back is seen waiting, everywhere."""

from dataclasses import replace

import pytest

from hpo.service import events, follow, paging, results
from hpo.service.paging import Wanted
from hpo.service.resting import counts_of
from hpo.states import StudyState, TrialState


def states_of(storage, *asked):
    page = paging.trials_page(storage, "digits", Wanted(states=asked))
    return [(trial["number"], trial["state"]) for trial in page["items"]]


def test_trials_of_a_paused_study_wait(storage, studies):
    claim = studies.running(values=[0.5, None], n_running=2)
    before = states_of(storage)

    storage.release(claim, StudyState.PAUSED)

    assert before == [(0, "COMPLETE"), (1, "FAIL"), (2, "RUNNING"), (3, "RUNNING")]
    assert states_of(storage) == [(0, "COMPLETE"), (1, "FAIL"), (2, "WAITING"), (3, "WAITING")]
    assert results.trial(storage, "digits", 2)["state"] == "WAITING"
    assert [one["state"] for one in results.exported(storage, "digits")][2:] == ["WAITING", "WAITING"]
    counts = {"WAITING": 2, "COMPLETE": 1, "FAIL": 1}
    assert results.show(storage, "digits")["states"] == counts
    assert [line["states"] for line in results.studies(storage)] == [counts]
    assert events.look(storage, "digits").progress["counts"] == counts
    found = follow.progress(storage, "digits", is_alive=lambda driver: None)
    assert {state.value: n for state, n in found.counts.items() if n} == counts


def test_a_filter_finds_what_is_seen(storage, studies):
    claim = studies.running(values=[0.5], n_running=2)
    running = states_of(storage, "RUNNING")

    storage.release(claim, StudyState.PAUSED)

    assert running == [(1, "RUNNING"), (2, "RUNNING")]
    assert states_of(storage, "RUNNING") == []
    assert states_of(storage, "waiting", "complete") == [(0, "COMPLETE"), (1, "WAITING"), (2, "WAITING")]
    assert list(results.trials(storage, "digits", states=["RUNNING"])) == []


@pytest.mark.parametrize("leave", ["pause", "hand over"])
def test_they_train_again_when_it_goes_on(storage, studies, leave, me):
    claim = studies.running(n_running=2)
    if leave == "pause":
        storage.release(claim, StudyState.PAUSED)
        storage.move_study("digits", StudyState.QUEUED)
    else:
        storage.hand_over(claim)
    waiting = states_of(storage)

    storage.claim_study("digits", me)

    assert waiting == [(0, "WAITING"), (1, "WAITING")]
    assert states_of(storage) == [(0, "RUNNING"), (1, "RUNNING")]
    assert [trial.state for trial in storage.unfinished("digits")] == [TrialState.RUNNING] * 2


def test_who_trains_elsewhere_goes_on_while_a_study_is_paused(storage, studies):
    claim = studies.running(n_running=2)
    paused = storage.release(claim, StudyState.PAUSED)

    elsewhere = replace(paused, spec={**paused.spec, "trainer": "external"})

    assert counts_of(paused)[TrialState.RUNNING] == 0
    assert counts_of(elsewhere)[TrialState.RUNNING] == 2
