"""Keys, sessions and quotas as rows: secrets are here only as their digests."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from hpo.account import ApiKey, NewKey, Quota, Role, Usage
from hpo.errors import KeyNotFound
from hpo.states import FINAL
from hpo.storage.engine import aware, database_now, utc
from hpo.storage.ordering import words_of
from hpo.storage.service_tables import keys, quotas, sessions
from hpo.storage.tables import studies


def add(connection: Connection, new: NewKey) -> ApiKey:
    """Keep a new key."""
    now = _now(connection)
    connection.execute(
        insert(keys).values(
            id=new.id,
            owner=new.owner,
            role=new.role.value,
            digest=new.digest,
            created_at=utc(now),
            expires_at=None if new.lifetime_s is None else utc(now + new.lifetime_s),
        )
    )
    return _key_of(_find(connection, new.id))


def _now(connection: Connection) -> float:
    return float(connection.execute(select(database_now())).scalar_one())


def _find(connection: Connection, key: str) -> Row[Any]:
    """Raises KeyNotFound."""
    row = connection.execute(select(keys).where(keys.c.id == key)).one_or_none()
    if row is None:
        raise _not_found(key)
    return row


def _not_found(key: str) -> KeyNotFound:
    return KeyNotFound(f"no API key has the id {key!r}; `hpo keys ls` shows those there are")


def _key_of(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        owner=row.owner,
        role=Role(row.role),
        created_at=row.created_at.replace(tzinfo=UTC),
        last_used_at=aware(row.last_used_at),
        expires_at=aware(row.expires_at),
        revoked_at=aware(row.revoked_at),
    )


def by_digest(connection: Connection, digest: str, noted_s: float) -> tuple[ApiKey | None, bool]:
    """A valid key, and whether its use should be noted."""
    row = connection.execute(select(keys).where(keys.c.digest == digest)).one_or_none()
    return _if_valid(connection, row, noted_s)


def by_session(connection: Connection, digest: str, noted_s: float) -> tuple[ApiKey | None, bool]:
    """The valid key of a session that is not over, and whether its use should be noted."""
    wanted = select(keys).join(sessions, sessions.c.key_id == keys.c.id)
    wanted = wanted.where(sessions.c.digest == digest, sessions.c.until_s > database_now())
    return _if_valid(connection, connection.execute(wanted).one_or_none(), noted_s)


def _if_valid(connection: Connection, row: Row[Any] | None, noted_s: float) -> tuple[ApiKey | None, bool]:
    if row is None or row.revoked_at is not None:
        return None, False
    now = _now(connection)
    if row.expires_at is not None and row.expires_at <= utc(now):
        return None, False
    return _key_of(row), row.last_used_at is None or row.last_used_at <= utc(now - noted_s)


def note_use(connection: Connection, key: str) -> ApiKey:
    """Write that a key is used now. Raises KeyNotFound."""
    used = update(keys).where(keys.c.id == key).values(last_used_at=utc(_now(connection)))
    connection.execute(used)
    return _key_of(_find(connection, key))


def list_all(connection: Connection) -> list[ApiKey]:
    """All keys, by owner and age."""
    wanted = select(keys).order_by(keys.c.owner, keys.c.created_at, keys.c.id)
    return [_key_of(row) for row in connection.execute(wanted)]


def revoke(connection: Connection, key: str) -> ApiKey:
    """Make a key void and end its sessions. Raises KeyNotFound."""
    if words_of(key) is None:  # PostgreSQL cannot be asked for it
        raise _not_found(key)
    connection.execute(
        update(keys)
        .where(keys.c.id == key, keys.c.revoked_at.is_(None))
        .values(revoked_at=utc(_now(connection)))
    )
    connection.execute(delete(sessions).where(sessions.c.key_id == key))
    return _key_of(_find(connection, key))


def open_session(connection: Connection, key: str, digest: str, lifetime_s: float) -> None:
    """Let a session stand for a key; those that are over go. Raises KeyNotFound."""
    _find(connection, key)
    now = _now(connection)
    connection.execute(delete(sessions).where(sessions.c.until_s <= now))
    connection.execute(insert(sessions).values(digest=digest, key_id=key, until_s=now + lifetime_s))


def close_session(connection: Connection, digest: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.digest == digest))


def set_quota(connection: Connection, owner: str, quota: Quota) -> None:
    """Give an owner a quota in place of an earlier one."""
    limits = {"studies": quota.studies, "trials": quota.trials, "slots": quota.slots}
    connection.execute(delete(quotas).where(quotas.c.owner == owner))
    if quota != Quota():
        connection.execute(insert(quotas).values(owner=owner, **limits))


def all_quotas(connection: Connection) -> dict[str, Quota]:
    """The quota of each owner who has one."""
    rows = connection.execute(select(quotas).order_by(quotas.c.owner))
    return {row.owner: quota_of(row) for row in rows}


def quota_of(row: Row[Any]) -> Quota:
    """A quota as its row says it."""
    return Quota(studies=row.studies, trials=row.trials, slots=row.slots)


def usage(connection: Connection, owner: str) -> Usage:
    """What an owner has now."""
    counted = select(func.count(), func.coalesce(func.sum(studies.c.n_trials), 0))
    counted = counted.where(studies.c.owner == owner, studies.c.state.not_in([s.value for s in FINAL]))
    n_studies, n_trials = connection.execute(counted).one()
    return Usage(studies=n_studies, trials=int(n_trials))
