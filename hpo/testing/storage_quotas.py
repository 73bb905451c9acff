"""What every Storage must do about quotas when a study that is there already grows, or goes on."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hpo.account import Quota
from hpo.errors import QuotaReached
from hpo.states import StudyState
from hpo.storage.base import Amendment, Storage
from hpo.study import Study
from hpo.testing.studies import driver, new_study

Grow = Callable[[Storage, str, int], Study]


def _by_total(storage: Storage, name: str, by: int) -> Study:
    return storage.set_trials(name, storage.get_study(name).n_trials + by)


def _by_amendment(storage: Storage, name: str, by: int) -> Study:
    return storage.amend_study(name, Amendment(n_trials=storage.get_study(name).n_trials + by))


def _by_queue(storage: Storage, name: str, by: int) -> Study:
    return storage.enqueue(name, [({"optimizer": "sgd"}, None)] * by)


GROWTH = pytest.mark.parametrize("grow", [_by_total, _by_amendment, _by_queue])


def _completed(storage: Storage, name: str) -> None:
    """A study of Ann's that has ended early."""
    storage.create_study(new_study(name, owner="ann", n_trials=10))
    storage.release(storage.claim_study(name, driver()), StudyState.COMPLETED)


class QuotasContract:
    """No way to more than one may have, whoever asks."""

    @GROWTH
    def test_a_study_grows_up_to_its_owners_quota(self, storage: Storage, grow: Grow) -> None:
        storage.create_study(new_study("a", owner="ann", n_trials=10))
        storage.create_study(new_study("b", owner="ann", n_trials=5))
        storage.set_quota("ann", Quota(trials=20))

        with pytest.raises(QuotaReached, match=r"20 trials.* has 15; 6 more"):
            grow(storage, "a", 6)

        assert storage.get_study("a").n_trials == 10
        assert storage.queue("a") == []
        assert grow(storage, "a", 5).n_trials == 15

    @GROWTH
    def test_a_study_that_ended_does_not_wake_beyond_the_quota(self, storage: Storage, grow: Grow) -> None:
        _completed(storage, "old")
        storage.create_study(new_study("new", owner="ann", n_trials=10))
        storage.set_quota("ann", Quota(trials=20))

        with pytest.raises(QuotaReached, match=r"has 10; 11 more"):
            grow(storage, "old", 1)

        old = storage.get_study("old")
        assert (old.state, old.n_trials) == (StudyState.COMPLETED, 10)

    def test_a_study_that_ended_counts_again_when_it_goes_on(self, storage: Storage) -> None:
        _completed(storage, "old")
        storage.create_study(new_study("new", owner="ann"))
        storage.set_quota("ann", Quota(studies=1))

        with pytest.raises(QuotaReached, match="1 study that is not final, and may have 1"):
            storage.move_study("old", StudyState.QUEUED)

        storage.move_study("new", StudyState.CANCELLED)
        assert storage.move_study("old", StudyState.QUEUED).state is StudyState.QUEUED

    def test_who_has_too_much_already_may_still_move_and_amend_it(self, storage: Storage) -> None:
        storage.create_study(new_study("a", owner="ann", n_trials=10))
        storage.set_quota("ann", Quota(studies=0, trials=0))

        storage.move_study("a", StudyState.PAUSED)
        storage.amend_study("a", Amendment(priority=1, n_trials=10))

        assert storage.move_study("a", StudyState.QUEUED).priority == 1

    def test_studies_of_nobody_in_particular_grow_as_they_like(self, storage: Storage) -> None:
        storage.create_study(new_study("a", n_trials=10))
        storage.set_quota("ann", Quota(trials=1))

        assert storage.set_trials("a", 1_000).n_trials == 1_000

    def test_of_two_that_grow_at_the_same_moment_one_meets_the_quota(self, storage: Storage) -> None:
        for name in ("a", "b"):
            storage.create_study(new_study(name, owner="ann", n_trials=10))
        storage.set_quota("ann", Quota(trials=25))
        together, refused = threading.Barrier(2), list[str]()

        def grow(name: str) -> None:
            together.wait()
            try:
                storage.set_trials(name, 15)
            except QuotaReached:
                refused.append(name)

        threads = [threading.Thread(target=grow, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(refused) == 1
        assert sum(study.n_trials for study in storage.list_studies()) == 25
