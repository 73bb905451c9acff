"""Driving a study: a claim is taken, renewed, checked before every write, and given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, update

from hpo.errors import LeaseLost
from hpo.states import CohortState, StudyState, Wanted, check_move
from hpo.storage import studies as study_rows
from hpo.storage.base import LEASE_S, Claim
from hpo.storage.engine import utc
from hpo.storage.records import driver_columns, seconds_spent, study_of, to_json
from hpo.storage.rules import DRIVEN, state_once_claimed, state_once_left
from hpo.storage.tables import cohorts, studies
from hpo.study import Driver, Study


def claim(connection: Connection, name: str, driver: Driver, dead: Driver | None, lease_s: float) -> Claim:
    """Take a study. Raises StudyNotFound, StudyOwned, IllegalMove."""
    row = study_rows.find(connection, name, lock=True)
    state = state_once_claimed(study_of(row), dead)
    goes_on = row.state in DRIVEN  # in the place of a driver that died: why it is stopping still holds
    study_rows.change(
        connection,
        row.study_id,
        state=state,
        reason=row.reason if goes_on else None,
        counted=row.counted if goes_on else None,
        attempt=row.attempt + 1,
        seconds=seconds_spent(row),
        running_since=row.now,
        started_at=row.started_at or utc(row.now),
        finished_at=None,
        live=None,
        **driver_columns(driver, row.now + lease_s),
    )
    return Claim(study=row.study_id, name=row.study_name, driver=driver, attempt=row.attempt + 1)


def is_void(row: Row[Any], dead: Driver | None) -> bool:
    """Whether somebody drove the study who is known to have died, or whose lease is over."""
    return row.state in DRIVEN and (dead is not None or row.lease_until is None or row.lease_until <= row.now)


def fence(connection: Connection, held: Claim) -> Row[Any]:
    """The claimed study's row, locked, its lease good for a while. Raises LeaseLost when the claim is void."""
    wanted = study_rows.query().where(studies.c.study_id == held.study).with_for_update(of=studies)
    row = connection.execute(wanted).one_or_none()
    if row is None or row.attempt != held.attempt or row.driver_token != held.driver.token:
        raise LeaseLost(
            f"study {held.name!r} was taken over from {held.driver} or is gone; what that had not written is void"
        )
    if row.lease_until < row.now + LEASE_S - 1.0:
        study_rows.change(connection, held.study, lease_until=row.now + LEASE_S)
    return row


def renew(connection: Connection, held: Claim, lease_s: float, live: Mapping[str, Any] | None) -> Wanted:
    """Keep the claim and its RUNNING cohorts'; live: how fast it goes. Raises LeaseLost."""
    row = fence(connection, held)
    until = row.now + lease_s
    # Time is booked at each renewal, so that a crash loses none that was spent.
    spent = row.seconds + (row.now - row.running_since)
    said = {} if live is None else {"live": to_json(live)}
    study_rows.change(connection, held.study, lease_until=until, seconds=spent, running_since=row.now, **said)
    connection.execute(
        update(cohorts)
        .where(cohorts.c.study_id == held.study, cohorts.c.state == CohortState.RUNNING)
        .where(cohorts.c.driver_token == held.driver.token)
        .values(lease_until=until)
    )
    return Wanted(row.wanted)


def left_before(connection: Connection, held: Claim, state: StudyState) -> Study | None:
    """The study, if this claim has left it in that state already and nobody has taken it since."""
    left = study_rows.query().where(
        studies.c.study_id == held.study,
        studies.c.state == state,
        studies.c.attempt == held.attempt,
        studies.c.driver_token.is_(None),
    )
    row = connection.execute(left).one_or_none()
    return None if row is None else study_of(row)


def release(
    connection: Connection, held: Claim, state: StudyState, reason: str | None, obeys: Wanted
) -> Study:
    """End driving. Raises LeaseLost, IllegalMove."""
    row = fence(connection, held)
    study_rows.leave(connection, row, state_once_left(study_of(row), state, obeys), reason)
    return study_rows.reread(connection, held.study)


def hand_over(connection: Connection, held: Claim) -> Study:
    """Leave a study to another driver. Raises LeaseLost."""
    row = fence(connection, held)
    if row.state == StudyState.STOPPING:  # only its running cohorts are trained, so they stay RUNNING
        columns = driver_columns(None, None)
        spent = {"seconds": seconds_spent(row), "running_since": None, "live": None}
        study_rows.change(connection, held.study, **spent, **columns)
    else:
        study_rows.leave(connection, row, StudyState.QUEUED, None)
        study_rows.change(connection, held.study, wanted=row.wanted)
    return study_rows.reread(connection, held.study)


def set_notes(connection: Connection, held: Claim, notes: Mapping[str, Any]) -> None:
    """Keep what the sampler decided. Raises LeaseLost."""
    fence(connection, held)
    study_rows.change(connection, held.study, notes=to_json(notes) if notes else None)


def move(
    connection: Connection, held: Claim, state: StudyState, reason: str | None, counted: int | None
) -> Study:
    """Move a study and go on driving it. Raises LeaseLost, IllegalMove."""
    row = fence(connection, held)
    if row.state != state:
        check_move(held.name, StudyState(row.state), state)
    study_rows.change(connection, held.study, state=state, reason=reason, counted=counted)
    return study_rows.reread(connection, held.study)
