"""Accounts of the database: each method one transaction; what it does and raises stands in `base_accounts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from hpo.account import ApiKey, NewKey, Quota, Usage
from hpo.storage import accounts, quotas
from hpo.storage.base_accounts import NOTED_S
from hpo.storage.engine import Transactions


class DatabaseAccounts:
    """Keys, sessions and quotas in SQLite or PostgreSQL."""

    _db: Transactions

    def add_key(self, new: NewKey) -> ApiKey:
        """Keep a new key."""
        with self._db.write() as connection:
            return accounts.add(connection, new)

    def find_key(self, digest: str, *, noted_s: float = NOTED_S) -> ApiKey | None:
        """The valid key of that digest."""
        return self._noted(lambda connection: accounts.by_digest(connection, digest, noted_s))

    def find_session(self, digest: str, *, noted_s: float = NOTED_S) -> ApiKey | None:
        """The valid key of a session."""
        return self._noted(lambda connection: accounts.by_session(connection, digest, noted_s))

    def _noted(self, find: Callable[[Connection], tuple[ApiKey | None, bool]]) -> ApiKey | None:
        """Read first, write only when there is something to note: a reader waits for nobody."""
        with self._db.read() as connection:
            found, stale = find(connection)
        if found is None or not stale:
            return found
        with self._db.write() as connection:
            return accounts.note_use(connection, found.id)

    def list_keys(self) -> list[ApiKey]:
        """All keys."""
        with self._db.read() as connection:
            return accounts.list_all(connection)

    def revoke_key(self, id: str) -> ApiKey:  # noqa: A002
        """Make a key void."""
        with self._db.write() as connection:
            return accounts.revoke(connection, id)

    def open_session(self, key: str, digest: str, lifetime_s: float) -> None:
        """Let a session stand for a key."""
        with self._db.write() as connection:
            accounts.open_session(connection, key, digest, lifetime_s)

    def close_session(self, digest: str) -> None:
        """End a session."""
        with self._db.write() as connection:
            accounts.close_session(connection, digest)

    def set_quota(self, owner: str, quota: Quota, *, keep: bool = False) -> None:
        """Give an owner a quota."""
        with self._db.write() as connection:
            quotas.one_by_one(connection, owner)
            before = accounts.all_quotas(connection).get(owner, Quota()) if keep else Quota()
            accounts.set_quota(connection, owner, quota.over(before))

    def quotas(self) -> Mapping[str, Quota]:
        """The quota of each owner who has one."""
        with self._db.read() as connection:
            return accounts.all_quotas(connection)

    def usage(self, owner: str) -> Usage:
        """What an owner has now."""
        with self._db.read() as connection:
            return accounts.usage(connection, owner)
