"""What an account may do to a study, and how much of everything it may have."""

from __future__ import annotations

from hpo.account import Account, Quota, Role
from hpo.errors import NotAllowed
from hpo.storage.base import Storage
from hpo.study import Study


def check_may_change(account: Account, study: Study) -> None:
    """Raises NotAllowed unless the account may change, move or remove a study: its own, or any as an admin."""
    if account.role is Role.ADMIN:
        return
    if not account.role.includes(Role.SUBMITTER):
        raise NotAllowed(f"needs the role {Role.SUBMITTER}, this key has {account.role}")
    if study.owner is not None and study.owner != account.owner:
        raise NotAllowed(f"study {study.name!r} belongs to {study.owner}; only {study.owner} or an admin may")


def quota_of(storage: Storage, account: Account) -> Quota | None:
    """What the account's owner may have at a time; None: whatever it likes."""
    return None if account.owner is None else storage.quotas().get(account.owner)
