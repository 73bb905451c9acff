"""What an account may do to a study or a data set, and how much of everything it may have."""

from __future__ import annotations

from hpo.account import Account, Quota, Role
from hpo.errors import NotAllowed
from hpo.storage.base import Storage, StoredDataset
from hpo.study import Study


def check_may_change(account: Account, study: Study) -> None:
    """Raises NotAllowed unless the account may change, move or remove a study: its own, or any as an admin."""
    _check_owner(account, study.owner, f"study {study.name!r}")


def check_may_remove(account: Account, dataset: StoredDataset) -> None:
    """Raises NotAllowed unless the account may remove a data set: its own, or any as an admin."""
    _check_owner(account, dataset.info.get("owner"), f"data set {dataset.name!r}")


def _check_owner(account: Account, owner: str | None, what: str) -> None:
    """What is nobody's in particular is everybody's."""
    if account.role is Role.ADMIN:
        return
    if not account.role.includes(Role.SUBMITTER):
        raise NotAllowed(f"needs the role {Role.SUBMITTER}, this key has {account.role}")
    if owner is not None and owner != account.owner:
        raise NotAllowed(f"{what} belongs to {owner}; only {owner} or an admin may")


def quota_of(storage: Storage, account: Account) -> Quota | None:
    """What the account's owner may have at a time; None: whatever it likes."""
    return None if account.owner is None else storage.quotas().get(account.owner)
