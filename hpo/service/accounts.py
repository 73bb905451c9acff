"""What an account may do to a study."""

from __future__ import annotations

from hpo.account import Account, Role
from hpo.errors import NotAllowed
from hpo.study import Study


def check_may_change(account: Account, study: Study) -> None:
    """Raises NotAllowed unless the account may change, move or remove a study: its own, or any as an admin."""
    if account.role is Role.ADMIN:
        return
    if not account.role.includes(Role.SUBMITTER):
        raise NotAllowed(f"needs the role {Role.SUBMITTER}, this key has {account.role}")
    if study.owner is not None and study.owner != account.owner:
        raise NotAllowed(f"study {study.name!r} belongs to {study.owner}; only {study.owner} or an admin may")
