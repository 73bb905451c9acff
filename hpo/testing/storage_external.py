"""What every Storage must do for studies whose trials are trained elsewhere."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hpo.errors import IllegalMove, StudyNotFound
from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage
from hpo.storage.base_external import HandedOut, Terms, Told, Wanted
from hpo.study import Study
from hpo.testing.studies import GONE, SPACE, counted, driver, new_study, numbers, plans

TERMS = Terms()
LAPSING = Terms(lease_s=GONE)


def outside(storage: Storage, n_trials: int = 8, **changes: Any) -> Study:
    """A study whose trials are trained elsewhere."""
    return storage.create_study(new_study(n_trials=n_trials, spec={"trainer": "external"}, **changes))


def ask(
    storage: Storage, client: str = "one", count: int = 1, terms: Terms = TERMS, first: int | None = None
) -> HandedOut:
    """Ask with plans for the next numbers."""
    first = storage.get_study("wine").n_planned if first is None else first
    wanted = Wanted(client=client, count=count, plans=plans(first, count))
    return storage.hand_out("wine", SPACE, wanted, terms)


def complete(value: float, **changes: Any) -> Told:
    """Told to have ended well."""
    return Told(state=TrialState.COMPLETE, values=(value,), **changes)


class HandingOutContract:
    """Who gets which trial."""

    def test_the_first_trial_asked_for_begins_the_study(self, storage: Storage) -> None:
        outside(storage)

        handed = ask(storage, count=2)

        assert numbers(handed.trials) == [0, 1]
        assert [t.params for t in handed.trials] == [p.params for p in plans(0, 2)]
        assert all(t.state is TrialState.RUNNING and t.cohort is None and t.sampled for t in handed.trials)
        assert (handed.study.state, handed.stale) == (StudyState.RUNNING, False)
        assert handed.study.started_at is not None
        assert counted(handed.study.counts) == {"RUNNING": 2}

    def test_a_client_gets_the_trials_it_has_again_before_new_ones(self, storage: Storage) -> None:
        outside(storage)
        first = ask(storage, count=2)

        assert numbers(ask(storage, count=1).trials) == [0]
        assert numbers(ask(storage, count=3).trials) == [0, 1, 2]
        assert ask(storage, count=2).trials == first.trials

    def test_another_client_gets_other_trials(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, "one", 2)

        assert numbers(ask(storage, "two", 2).trials) == [2, 3]

    def test_what_was_planned_for_another_state_of_the_study_is_not_begun(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, "one", 2)

        handed = ask(storage, "two", 2, first=0)

        assert (handed.trials, handed.stale) == ([], True)
        assert counted(handed.study.counts) == {"RUNNING": 2}

    def test_a_setting_that_waits_goes_before_plans_made_without_it(self, storage: Storage) -> None:
        outside(storage)
        storage.enqueue("wine", [({"hidden_units": 99}, None)])
        [entry] = storage.look("wine", "one", 4).queue

        assert ask(storage).stale

        plan = replace(plans(0, 1)[0], params=entry.params, queued=entry.id)
        wanted = Wanted(client="one", count=2, plans=[plan, *plans(1, 1)])
        handed = storage.hand_out("wine", SPACE, wanted, TERMS)
        assert [t.sampled for t in handed.trials] == [False, True]
        assert storage.queue("wine") == []
        assert storage.n_unsampled("wine", 0, 2) == 1
        assert storage.n_unsampled("wine", 1, 2) == 0

    def test_no_more_run_at_once_than_the_limit(self, storage: Storage) -> None:
        outside(storage)
        few = Terms(parallel=3)

        assert numbers(ask(storage, "one", 2, few).trials) == [0, 1]
        assert numbers(ask(storage, "two", 2, few).trials) == [2]
        assert numbers(ask(storage, "three", 2, few).trials) == []

    def test_the_total_is_not_exceeded(self, storage: Storage) -> None:
        outside(storage, n_trials=3)

        assert numbers(ask(storage, "one", 5).trials) == [0, 1, 2]
        assert ask(storage, "two", 5).trials == []

    def test_what_is_lapsed_goes_to_the_next_client_under_the_same_number(self, storage: Storage) -> None:
        outside(storage)
        before = ask(storage, "one", 2, LAPSING)

        assert storage.look("wine", "two", 5).lapsed == 2
        handed = ask(storage, "two", 3)

        assert numbers(handed.trials) == [0, 1, 2]
        assert [t.params for t in handed.trials[:2]] == [t.params for t in before.trials]
        look = storage.look("wine", "two", 5)
        assert (look.pending, look.lapsed) == (3, 0)

    def test_a_client_gets_its_own_trials_before_those_that_others_lost(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, "one", 1)
        ask(storage, "two", 1)
        storage.renew_lease("wine", 0, "one", LAPSING)

        assert numbers(ask(storage, "two", 1).trials) == [1]

    def test_a_trial_lost_too_often_ends(self, storage: Storage) -> None:
        outside(storage)
        once = replace(LAPSING, retries=1)
        ask(storage, "one", 1, once)

        assert numbers(ask(storage, "two", 1, once).trials) == [0]
        assert numbers(ask(storage, "three", 1, once).trials) == [1]

        ended = storage.get_trial("wine", 0)
        assert (ended.state, ended.reason, ended.place) == (TrialState.FAIL, "lost", 1)

    def test_what_is_lost_is_dropped_without_anybody_asking(self, storage: Storage) -> None:
        outside(storage, n_trials=2)
        ask(storage, "one", 1, TERMS)
        storage.tell_trial("wine", 0, complete(0.5), TERMS)
        ask(storage, "one", 1, replace(LAPSING, retries=0))

        study = storage.drop_lapsed("wine", Terms(retries=0))

        assert (study.state, counted(study.counts)) == (StudyState.COMPLETED, {"COMPLETE": 1, "FAIL": 1})
        assert storage.get_trial("wine", 1).reason == "lost"

    def test_a_paused_study_hands_out_nothing_and_takes_what_is_told(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)
        storage.move_study("wine", StudyState.PAUSED)

        assert ask(storage).trials == ()
        storage.tell_trial("wine", 0, complete(0.5), TERMS)

        assert storage.get_study("wine").state is StudyState.PAUSED
        assert storage.get_trial("wine", 0).value == 0.5

    def test_no_driver_may_claim_it_and_no_server_takes_it_over(self, storage: Storage) -> None:
        assert not outside(storage, served=True).served

        with pytest.raises(IllegalMove, match="trained elsewhere"):
            storage.claim_study("wine", driver())
        ask(storage)
        assert storage.without_driver() == ["wine"]
        storage.move_study("wine", StudyState.PAUSED)
        assert not storage.move_study("wine", StudyState.QUEUED, served=True).served
        assert storage.without_driver() == []

    def test_notes_of_the_sampler_are_kept(self, storage: Storage) -> None:
        outside(storage)

        storage.hand_out("wine", SPACE, Wanted(client="one", count=1, notes={"rounds": [1]}), TERMS)

        assert storage.get_study("wine").notes == {"rounds": [1]}

    def test_a_study_that_is_not_there_hands_out_nothing(self, storage: Storage) -> None:
        with pytest.raises(StudyNotFound):
            storage.look("wine", "one", 1)
        with pytest.raises(StudyNotFound):
            storage.hand_out("wine", SPACE, Wanted(client="one", count=1), TERMS)
