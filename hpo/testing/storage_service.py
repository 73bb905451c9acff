"""What every Storage must do for a service: requests that come twice, quotas, who runs what, who is there."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hpo.account import Quota
from hpo.errors import (
    Changed,
    DatasetNotFound,
    IllegalMove,
    KeyReused,
    QuotaReached,
    StudyExists,
    StudyNotFound,
)
from hpo.states import StudyState, TrialState
from hpo.storage.base import Amendment, CoordinatorBeat, Once, Storage, StudyQuery
from hpo.study import Study
from hpo.testing.studies import begun, complete, driver, finished, new_study, numbers
from hpo.trial import TrialResult

REQUEST = Once(owner="ann", key="k-1", digest="00")


def names(storage: Storage, **query: object) -> list[str]:
    """Of the studies that a query finds."""
    return [study.name for study in storage.list_studies(StudyQuery(**query))]  # type: ignore[arg-type]


class CreatingContract:
    """A study is made once per request, within a quota, on data that is there."""

    def test_the_same_request_again_gives_the_study_it_made(self, storage: Storage) -> None:
        first = storage.create_study(new_study(enqueue=({"optimizer": "sgd"},)), once=REQUEST)

        again = storage.create_study(new_study("wine-2", enqueue=({"optimizer": "sgd"},)), once=REQUEST)

        assert (again.id, again.name) == (first.id, "wine")
        assert storage.study_names() == ["wine"]
        assert len(storage.queue("wine")) == 1

    def test_another_request_with_the_same_key_is_refused(self, storage: Storage) -> None:
        storage.create_study(new_study(), once=REQUEST)

        with pytest.raises(KeyReused, match="'k-1'"):
            storage.create_study(new_study("other"), once=replace(REQUEST, digest="11"))

        assert storage.study_names() == ["wine"]

    def test_keys_are_an_owners_own(self, storage: Storage) -> None:
        storage.create_study(new_study(), once=REQUEST)

        storage.create_study(new_study("other"), once=replace(REQUEST, owner="bob", digest="11"))

        assert storage.study_names() == ["other", "wine"]

    def test_a_request_whose_study_is_gone_makes_a_new_one(self, storage: Storage) -> None:
        storage.create_study(new_study(), once=REQUEST)
        storage.delete_study("wine")

        again = storage.create_study(new_study("second"), once=replace(REQUEST, digest="11"))

        assert again.name == "second"

    def test_a_name_that_is_taken_is_refused_and_its_key_stays_free(self, storage: Storage) -> None:
        storage.create_study(new_study())

        with pytest.raises(StudyExists):
            storage.create_study(new_study(), once=REQUEST)

        assert storage.create_study(new_study("other"), once=REQUEST).name == "other"

    def test_a_quota_counts_the_owners_studies_that_are_not_final(self, storage: Storage) -> None:
        two = Quota(studies=2)
        for name in ("a", "b"):
            storage.create_study(new_study(name, owner="ann"), quota=two)

        with pytest.raises(QuotaReached, match="2 studies that are not final, and may have 2"):
            storage.create_study(new_study("c", owner="ann"), quota=two)
        storage.create_study(new_study("d", owner="bob"), quota=two)
        storage.move_study("a", StudyState.CANCELLED)
        storage.create_study(new_study("c", owner="ann"), quota=two)

        assert storage.study_names() == ["c", "d", "b", "a"]

    def test_a_quota_counts_their_trials_together(self, storage: Storage) -> None:
        quota = Quota(trials=20)
        storage.create_study(new_study("a", owner="ann", n_trials=12), quota=quota)

        with pytest.raises(QuotaReached, match=r"20 trials.* has 12; 9 more"):
            storage.create_study(new_study("b", owner="ann", n_trials=9), quota=quota)
        storage.create_study(new_study("b", owner="ann", n_trials=8), quota=quota)

    def test_a_request_repeated_at_the_quota_still_gives_its_study(self, storage: Storage) -> None:
        quota = Quota(studies=1)
        storage.create_study(new_study(owner="ann"), once=REQUEST, quota=quota)

        assert storage.create_study(new_study(owner="ann"), once=REQUEST, quota=quota).name == "wine"

    def test_the_uploaded_data_must_still_be_there(self, storage: Storage) -> None:
        kept = storage.add_dataset("w", [b"data"], {})
        storage.create_study(new_study(spec={"data": {"source": kept.id}}))
        storage.move_study("wine", StudyState.CANCELLED)
        storage.delete_dataset(kept.id)

        with pytest.raises(DatasetNotFound, match=kept.id):
            storage.create_study(new_study("second", spec={"data": {"source": kept.id}}), once=REQUEST)

        assert storage.study_names() == ["wine"]


class ServedContract:
    """Who is to run a study, what may change meanwhile, in which order trials finished."""

    def test_studies_come_a_page_at_a_time_by_owner_and_who_serves(self, storage: Storage) -> None:
        for name, owner, served in (("a", "ann", True), ("b", "bob", True), ("c", "ann", False)):
            storage.create_study(new_study(name, owner=owner, served=served, labels={"x": "1", "y": name}))

        [last] = storage.list_studies(StudyQuery(limit=1))
        assert last.name == "c"
        assert names(storage, after=last.id) == ["b", "a"]
        assert names(storage, after=last.id, limit=1) == ["b"]
        assert names(storage, owner="ann") == ["c", "a"]
        assert names(storage, served=True) == ["b", "a"]
        assert names(storage, served=False) == ["c"]
        assert names(storage, labels=(("x", "1"), ("y", "b"))) == ["b"]
        assert names(storage, states=(StudyState.QUEUED, StudyState.PAUSED), owner="bob") == ["b"]
        assert names(storage, states=(StudyState.PAUSED,)) == []

    def test_words_that_no_database_holds_find_nothing(self, storage: Storage) -> None:
        storage.create_study(new_study(owner="ann"))
        storage.add_dataset("mine", [b"data"], {})

        assert names(storage, owner="a\0nn") == names(storage, labels=(("a", "\ud800"),)) == []
        for key in ("a\0", "\ud800"):
            with pytest.raises(DatasetNotFound):
                storage.get_dataset(key)

    def test_names_are_found_by_their_beginning(self, storage: Storage) -> None:
        for name in ("wine", "wine-2", "Wine-3", "w_ne-4"):
            storage.create_study(new_study(name))

        assert storage.study_names() == ["w_ne-4", "Wine-3", "wine-2", "wine"]
        assert storage.study_names("wine-") == ["wine-2"]
        assert storage.study_names("w_ne") == ["w_ne-4"]

    def test_a_study_is_handed_to_a_server_and_back(self, storage: Storage) -> None:
        made = storage.create_study(new_study())
        storage.move_study("wine", StudyState.PAUSED)

        served = storage.move_study("wine", StudyState.QUEUED, served=True)
        kept = storage.move_study("wine", StudyState.PAUSED)
        taken = storage.move_study("wine", StudyState.QUEUED, served=False)

        assert [made.served, served.served, kept.served, taken.served] == [False, True, True, False]

    def test_a_study_that_is_woken_by_new_settings_is_the_servers(self, storage: Storage) -> None:
        claim = finished(storage, [0.5])
        driven = storage.enqueue("wine", [({"optimizer": "sgd"}, None)], served=True)
        storage.release(claim, StudyState.COMPLETED)

        woken = storage.enqueue("wine", [({"optimizer": "sgd"}, None)], served=True)

        assert (driven.served, driven.state) == (False, StudyState.RUNNING)  # whoever runs it goes on with it
        assert (woken.served, woken.state) == (True, StudyState.QUEUED)

    def test_how_fast_it_goes_is_known_while_somebody_drives(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        live = {"trials_per_s": 2.5, "seconds_left": None, "n_busy": 2}

        storage.renew(claim, live=live)
        storage.renew(claim)
        driven = storage.get_study("wine")
        storage.renew(claim, lease_s=-1.0)
        dead = storage.get_study("wine")
        storage.renew(claim)
        storage.release(claim, StudyState.PAUSED)
        storage.move_study("wine", StudyState.QUEUED)
        storage.claim_study("wine", driver("second"))

        assert driven.live == live
        assert dead.live == {}
        assert storage.get_study("wine").live == {}

    def test_what_may_change_does_in_row_and_study_file(self, storage: Storage) -> None:
        spec = {"epochs": 5, "labels": {"a": "1"}, "priority": 0, "limits": {"retries": 2}}
        storage.create_study(new_study(spec=spec, labels={"a": "1"}))

        first = storage.amend_study("wine", Amendment(priority=7))
        second = storage.amend_study("wine", Amendment(labels={"b": "größer"}, limits={"parallel": 4}))

        assert (first.priority, first.labels, first.spec) == (7, {"a": "1"}, spec | {"priority": 7})
        assert (second.priority, second.labels) == (7, {"b": "größer"})
        assert second.spec == spec | {"priority": 7, "labels": {"b": "größer"}, "limits": {"parallel": 4}}
        assert storage.get_study("wine") == second
        assert names(storage, labels=(("b", "größer"),)) == ["wine"]
        assert names(storage, labels=(("a", "1"),)) == []
        assert storage.amend_study("wine", Amendment(labels={})).labels == {}
        with pytest.raises(StudyNotFound, match="'nobody'"):
            storage.amend_study("nobody", Amendment(priority=1))

    def test_a_study_that_is_not_what_it_is_thought_to_be_stays_as_it_is(self, storage: Storage) -> None:
        storage.create_study(new_study())
        seen = []

        def refuse(study: Study) -> None:
            seen.append(study.priority)
            raise Changed

        with pytest.raises(Changed):
            storage.amend_study("wine", Amendment(priority=7, n_trials=20), check=refuse)
        with pytest.raises(IllegalMove, match="only goes up"):
            storage.amend_study("wine", Amendment(priority=7, n_trials=2))

        study = storage.get_study("wine")
        assert (study.priority, study.n_trials, seen) == (0, 8, [0])
        assert storage.amend_study("wine", Amendment(n_trials=20)).n_trials == 20

    def test_trials_have_places_in_the_order_in_which_they_finished(self, storage: Storage) -> None:
        claim, cohort = begun(storage, 6)
        fail = TrialResult(number=1, state=TrialState.FAIL, reason="error")
        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(4, 0.5)])
        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(3, 0.5), fail, complete(4, 0.9)])

        assert [(t.number, t.place) for t in storage.finished_after("wine", 0, 9)] == [(4, 1), (1, 2), (3, 3)]
        assert numbers(storage.finished_after("wine", 1, 1)) == [1]
        assert numbers(storage.finished_after("wine", 3, 9)) == []
        assert storage.get_trial("wine", 0).place is None
        storage.release(claim, StudyState.CANCELLED)  # what still ran ends now
        assert [(t.number, t.place) for t in storage.finished_after("wine", 3, 9)] == [(0, 4), (2, 5), (5, 6)]
        with pytest.raises(StudyNotFound, match="'nobody'"):
            storage.finished_after("nobody", 0, 9)


class CoordinatorsContract:
    """Coordinators that say that they are there."""

    def test_a_coordinator_is_known_from_its_first_word_to_its_last(self, storage: Storage) -> None:
        slots = [{"id": 0, "device": "cpu", "memory_bytes": 1 << 34, "study": None, "lanes": 0}]
        said = CoordinatorBeat(driver=driver("one"), version="1.2", pool="local", slots=[])
        before = datetime.now(UTC)

        storage.beat(said)
        storage.beat(CoordinatorBeat(driver=driver("two", pid=8), version="1.2", pool="ray", slots=[]))
        storage.beat(replace(said, slots=slots))
        first, second = storage.coordinators()

        assert (first.driver, first.version, first.pool) == (driver("one"), "1.2", "local")
        assert list(first.slots) == slots
        assert second.driver == driver("two", pid=8)
        assert first.started_at is not None
        assert abs(first.started_at - before) < timedelta(minutes=1)
        assert 0 <= first.age_s < 60
        storage.forget_coordinator("one")
        storage.forget_coordinator("nobody")
        assert [beat.driver.token for beat in storage.coordinators()] == ["two"]
