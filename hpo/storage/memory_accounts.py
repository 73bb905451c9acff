"""Accounts of the in-memory storage."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from hpo.account import ApiKey, NewKey, Quota, Usage
from hpo.errors import KeyNotFound
from hpo.storage.base_accounts import NOTED_S
from hpo.storage.memory_base import MemoryBase, alone


class MemoryAccounts(MemoryBase):
    """Keys, sessions and quotas in this process's memory; what each method does stands in `base_accounts`."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, ApiKey] = {}
        self._digests: dict[str, str] = {}  # of secrets -> ids of keys
        self._sessions: dict[str, tuple[str, float]] = {}  # digests of cookies -> key, until when
        self._quotas: dict[str, Quota] = {}

    @alone
    def add_key(self, new: NewKey) -> ApiKey:
        """Keep a new key."""
        now = time.time()
        expires = None if new.lifetime_s is None else datetime.fromtimestamp(now + new.lifetime_s, UTC)
        self._keys[new.id] = ApiKey(
            id=new.id,
            owner=new.owner,
            role=new.role,
            created_at=datetime.fromtimestamp(now, UTC),
            expires_at=expires,
        )
        self._digests[new.digest] = new.id
        return self._keys[new.id]

    @alone
    def find_key(self, digest: str, *, noted_s: float = NOTED_S) -> ApiKey | None:
        """The valid key of that digest."""
        return self._valid(self._digests.get(digest), noted_s)

    @alone
    def find_session(self, digest: str, *, noted_s: float = NOTED_S) -> ApiKey | None:
        """The valid key of a session."""
        key, until = self._sessions.get(digest, (None, 0.0))
        return self._valid(key, noted_s) if until > time.time() else None

    def _valid(self, key: str | None, noted_s: float) -> ApiKey | None:
        found, now = self._keys.get(key or ""), datetime.now(UTC)
        if found is None or found.revoked_at is not None:
            return None
        if found.expires_at is not None and found.expires_at <= now:
            return None
        if found.last_used_at is None or (now - found.last_used_at).total_seconds() >= noted_s:
            found = self._keys[found.id] = replace(found, last_used_at=now)
        return found

    @alone
    def list_keys(self) -> list[ApiKey]:
        """All keys."""
        return sorted(self._keys.values(), key=lambda key: (key.owner, key.created_at, key.id))

    @alone
    def revoke_key(self, id: str) -> ApiKey:  # noqa: A002
        """Make a key void."""
        found = self._key(id)
        if found.revoked_at is None:
            found = self._keys[id] = replace(found, revoked_at=datetime.now(UTC))
        self._sessions = {
            digest: (key, until) for digest, (key, until) in self._sessions.items() if key != id
        }
        return found

    def _key(self, key: str) -> ApiKey:
        if key not in self._keys:
            raise KeyNotFound(f"no API key has the id {key!r}; `hpo keys ls` shows those there are")
        return self._keys[key]

    @alone
    def open_session(self, key: str, digest: str, lifetime_s: float) -> None:
        """Let a session stand for a key."""
        self._sessions[digest] = (self._key(key).id, time.time() + lifetime_s)

    @alone
    def close_session(self, digest: str) -> None:
        """End a session."""
        self._sessions.pop(digest, None)

    @alone
    def set_quota(self, owner: str, quota: Quota, *, keep: bool = False) -> None:
        """Give an owner a quota."""
        before = self._quotas.pop(owner, Quota())
        new = quota.over(before) if keep else quota
        if new != Quota():
            self._quotas[owner] = new

    @alone
    def quotas(self) -> Mapping[str, Quota]:
        """The quota of each owner who has one."""
        return dict(sorted(self._quotas.items()))

    @alone
    def usage(self, owner: str) -> Usage:
        """What an owner has now."""
        own = [study for study in self.open_studies() if study.owner == owner]
        return Usage(studies=len(own), trials=sum(study.n_trials for study in own))
