"""What a storage does for accounts: keys, sessions, quotas. It knows digests of secrets, never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hpo.account import ApiKey, NewKey, Quota, Usage

NOTED_S = 60.0  # a key's last use is written at most this often: who asks often must not write often


class AccountStorage(Protocol):
    """Who may do what. All times are by the database's clock."""

    def add_key(self, new: NewKey) -> ApiKey:
        """Keep a new key."""

    def find_key(self, digest: str, *, noted_s: float = NOTED_S) -> ApiKey | None:
        """The key of that digest unless it is revoked or has expired; its use is noted when the last
        note of it is older than noted_s seconds."""

    def list_keys(self) -> list[ApiKey]:
        """All keys, revoked and expired ones too, by owner and age."""

    def revoke_key(self, id: str) -> ApiKey:  # noqa: A002
        """Make a key void, for good, and end its sessions; one that is void stays as it is. Raises KeyNotFound."""

    def open_session(self, key: str, digest: str, lifetime_s: float) -> None:
        """Let a session stand for a key, by the key's id. Raises KeyNotFound."""

    def find_session(self, digest: str, *, noted_s: float = NOTED_S) -> ApiKey | None:
        """The key that a session stands for, as find_key has it, unless the session is over."""

    def close_session(self, digest: str) -> None:
        """End a session; one that is over stays so."""

    def set_quota(self, owner: str, quota: Quota, *, keep: bool = False) -> None:
        """Give an owner a quota in place of an earlier one; Quota() is none. keep: what it leaves open stays as it is."""

    def quotas(self) -> Mapping[str, Quota]:
        """The quota of each owner who has one."""

    def usage(self, owner: str) -> Usage:
        """What an owner has now."""
