"""Whether an owner may have more, asked inside the transaction that would give it."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from hpo.account import Quota, Usage
from hpo.storage import accounts
from hpo.storage.rules import check_quota, growth
from hpo.storage.service_tables import quotas
from hpo.study import Study

_LOCKS = 7_301_953  # any number, the same for all: what the advisory locks of this file are about


def one_by_one(connection: Connection, owner: str) -> None:
    """What one owner asks for at the same moment is looked at, and counted, one after the other."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(select(func.pg_advisory_xact_lock(_LOCKS, func.hashtext(owner))))


def check(connection: Connection, owner: str, quota: Quota, more: Usage) -> None:
    """Raises QuotaReached."""
    one_by_one(connection, owner)
    check_quota(owner, quota, accounts.usage(connection, owner), more)


def check_growth(connection: Connection, study: Study, n_trials: int, *, wakes: bool = True) -> None:
    """Raises QuotaReached when a study cannot have that total, or go on, in its owner's quota, whoever asks for it.

    study: as it is before, its row locked; wakes: whether it goes on where it is final
    """
    more = growth(study, n_trials, wakes=wakes)
    if study.owner is None or (more.studies <= 0 and more.trials <= 0):
        return
    row = connection.execute(select(quotas).where(quotas.c.owner == study.owner)).one_or_none()
    if row is not None:
        check(connection, study.owner, accounts.quota_of(row), more)
