"""What every Storage must do for accounts: keys, sessions, quotas."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpo.account import ApiKey, NewKey, Quota, Role, Usage
from hpo.errors import KeyNotFound
from hpo.states import StudyState
from hpo.storage.base import Storage
from hpo.testing.studies import GONE, new_study


def new_key(word: str = "one", owner: str = "ada", role: Role = Role.SUBMITTER, **more: float) -> NewKey:
    """A key to keep, its digest made from a word."""
    return NewKey(id=f"key_{word}", owner=owner, role=role, digest=digest_of(word), **more)


def digest_of(word: str) -> str:
    """What stands for the SHA-256 of a secret: 64 characters."""
    return word.ljust(64, "0")


def ids(keys: list[ApiKey]) -> list[str]:
    """Their ids, in order."""
    return [key.id for key in keys]


class AccountsContract:
    """Keys, sessions, quotas."""

    def test_a_key_is_found_by_its_digest_and_by_nothing_else(self, storage: Storage) -> None:
        made = storage.add_key(new_key())

        found = storage.find_key(digest_of("one"))

        assert found is not None
        assert (found.id, found.owner, found.role) == ("key_one", "ada", Role.SUBMITTER)
        assert (made.expires_at, made.revoked_at, made.last_used_at) == (None, None, None)
        for wrong in ("", "key_one", "one", digest_of("two"), digest_of("one").upper(), "%"):
            assert storage.find_key(wrong) is None

    def test_keys_are_listed_by_owner_void_ones_too(self, storage: Storage) -> None:
        for word, owner in (("one", "größe"), ("two", "ada"), ("three", "größe")):
            storage.add_key(new_key(word, owner))
        storage.revoke_key("key_one")

        keys = storage.list_keys()

        assert ids(keys) == ["key_two", "key_one", "key_three"]
        assert [key.revoked_at is None for key in keys] == [True, False, True]

    def test_a_revoked_key_is_no_key_and_stays_revoked(self, storage: Storage) -> None:
        storage.add_key(new_key())

        revoked = storage.revoke_key("key_one")

        assert revoked.revoked_at is not None
        assert storage.find_key(digest_of("one")) is None
        assert storage.revoke_key("key_one") == revoked
        with pytest.raises(KeyNotFound, match="'key_two'"):
            storage.revoke_key("key_two")

    def test_what_no_database_can_hold_is_no_key(self, storage: Storage) -> None:
        with pytest.raises(KeyNotFound):
            storage.revoke_key("key\0")

    def test_a_key_expires(self, storage: Storage) -> None:
        past, future = (
            storage.add_key(new_key(lifetime_s=GONE)),
            storage.add_key(new_key("two", lifetime_s=90)),
        )

        assert storage.find_key(digest_of("one")) is None
        assert storage.find_key(digest_of("two")) is not None
        assert past.expires_at is not None
        assert future.expires_at is not None
        assert (past.expires_at - past.created_at).total_seconds() == pytest.approx(GONE, abs=1e-3)
        assert (future.expires_at - future.created_at).total_seconds() == pytest.approx(90, abs=1e-3)

    def test_the_last_use_is_noted_but_not_at_every_use(self, storage: Storage) -> None:
        storage.add_key(new_key())

        first, second = storage.find_key(digest_of("one")), storage.find_key(digest_of("one"))
        later = storage.find_key(digest_of("one"), noted_s=0.0)

        assert first is not None
        assert first.last_used_at is not None
        assert second == first
        assert later is not None
        assert later.last_used_at is not None
        assert later.last_used_at > first.last_used_at
        assert storage.list_keys() == [later]

    def test_a_session_stands_for_its_key_until_it_is_closed(self, storage: Storage) -> None:
        storage.add_key(new_key())
        storage.open_session("key_one", digest_of("cookie"), 60.0)

        found = storage.find_session(digest_of("cookie"))
        storage.close_session(digest_of("cookie"))
        storage.close_session(digest_of("cookie"))

        assert found is not None
        assert found.id == "key_one"
        assert found.last_used_at is not None
        assert storage.find_session(digest_of("cookie")) is None
        assert storage.find_key(digest_of("cookie")) is None
        assert storage.find_session(digest_of("one")) is None

    def test_a_session_ends_with_its_time_its_key_or_its_keys_time(self, storage: Storage) -> None:
        for word, lifetime in (("one", 60.0), ("two", 60.0), ("three", GONE)):
            storage.add_key(new_key(word, lifetime_s=lifetime))
        storage.open_session("key_two", digest_of("revoked"), 60.0)
        storage.open_session("key_three", digest_of("expired"), 60.0)
        storage.open_session("key_one", digest_of("alive"), 60.0)
        storage.open_session("key_one", digest_of("over"), GONE)

        storage.revoke_key("key_two")

        words = ("over", "revoked", "expired", "alive")
        assert [storage.find_session(digest_of(word)) is not None for word in words] == [False] * 3 + [True]
        with pytest.raises(KeyNotFound, match="'key_four'"):
            storage.open_session("key_four", digest_of("nobody"), 60.0)

    def test_of_an_owners_quota_two_parts_that_are_set_at_the_same_moment_both_hold(
        self, storage: Storage
    ) -> None:
        storage.set_quota("ada", Quota(slots=2))
        together = threading.Barrier(2)

        def give(quota: Quota) -> None:
            together.wait()
            storage.set_quota("ada", quota, keep=True)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(give, (Quota(studies=0), Quota(trials=9))))

        assert storage.quotas() == {"ada": Quota(studies=0, trials=9, slots=2)}

    def test_a_quota_is_set_replaced_and_taken_away(self, storage: Storage) -> None:
        storage.set_quota("ada", Quota(studies=3))
        storage.set_quota("bob", Quota(trials=10_000_000, slots=0))

        storage.set_quota("ada", Quota(slots=2))

        assert storage.quotas() == {"ada": Quota(slots=2), "bob": Quota(trials=10_000_000, slots=0)}
        storage.set_quota("ada", Quota())
        assert list(storage.quotas()) == ["bob"]

    def test_usage_counts_the_studies_that_are_not_final(self, storage: Storage) -> None:
        for name, owner, n_trials in (("a", "ada", 5), ("b", "ada", 7), ("c", "ada", 11), ("d", "bob", 13)):
            storage.create_study(new_study(name, owner=owner, n_trials=n_trials))
        storage.move_study("b", StudyState.CANCELLED)

        assert storage.usage("ada") == Usage(studies=2, trials=16)
        assert storage.usage("nobody") == Usage(studies=0, trials=0)
