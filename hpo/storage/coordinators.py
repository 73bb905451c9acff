"""Coordinators that serve, in the database: each says every few seconds that it is there."""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, insert, select, update

from hpo.storage.base import CoordinatorBeat
from hpo.storage.engine import aware, database_now, utc
from hpo.storage.records import to_json
from hpo.storage.rules import SEEN_S
from hpo.storage.service_tables import coordinators
from hpo.study import Driver

_FORGET_AFTER_S = (
    3_600.0  # of one that was killed: long enough to be looked at, short enough to keep the table small
)


def beat(connection: Connection, said: CoordinatorBeat) -> None:
    """A coordinator is there, and what it does now."""
    now = connection.execute(select(database_now())).scalar_one()
    columns = {
        "host": said.driver.host,
        "pid": said.driver.pid,
        "born": said.driver.born,
        "version": said.version,
        "pool": said.pool,
        "slots": to_json(tuple(said.slots)),
        "seen_at_s": now,
    }
    mine = coordinators.c.token == said.driver.token
    if connection.execute(update(coordinators).where(mine).values(**columns)).rowcount:
        return
    connection.execute(delete(coordinators).where(coordinators.c.seen_at_s < now - _FORGET_AFTER_S))
    connection.execute(insert(coordinators).values(token=said.driver.token, started_at=utc(now), **columns))


def forget(connection: Connection, token: str) -> None:
    """It has gone."""
    connection.execute(delete(coordinators).where(coordinators.c.token == token))


def seen(connection: Connection) -> list[CoordinatorBeat]:
    """Those that were seen within SEEN_S, the oldest first."""
    now = database_now()
    wanted = (
        select(coordinators, (now - coordinators.c.seen_at_s).label("age_s"))
        .where(coordinators.c.seen_at_s >= now - SEEN_S)
        .order_by(coordinators.c.started_at, coordinators.c.token)
    )
    return [
        CoordinatorBeat(
            driver=Driver(host=row.host, pid=row.pid, born=row.born, token=row.token),
            version=row.version,
            pool=row.pool,
            slots=json.loads(row.slots),
            started_at=aware(row.started_at),
            age_s=row.age_s,
        )
        for row in connection.execute(wanted)
    ]
