"""The coordinators that serve, and what the slots of their pools do."""

from __future__ import annotations

from typing import Any

from hpo.service.records import plain
from hpo.storage.base import CoordinatorBeat, Storage


def workers(storage: Storage) -> list[dict[str, Any]]:
    """Each coordinator that was seen lately, the oldest first, with its slots."""
    return [_record(beat) for beat in storage.coordinators()]


def slots(storage: Storage) -> list[dict[str, Any]]:
    """The slots of all of them."""
    return [slot for record in workers(storage) for slot in record["slots"]]


def _record(beat: CoordinatorBeat) -> dict[str, Any]:
    return {
        "host": beat.driver.host,
        "pid": beat.driver.pid,
        "version": beat.version,
        "pool": beat.pool,
        "started_at": plain(beat.started_at),
        "age_s": plain(beat.age_s),
        "slots": plain(list(beat.slots)),
    }
