"""Cohorts in the database: made with their trials, started under a new attempt, fenced, done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from hpo.cohort import Cohort, CohortPlan
from hpo.errors import LeaseLost
from hpo.states import CohortState
from hpo.storage import blobs as blob_rows
from hpo.storage.base import LEASE_S, Claim
from hpo.storage.bulk import BulkInsert
from hpo.storage.claims import fence
from hpo.storage.engine import utc
from hpo.storage.records import cohort_of, driver_columns
from hpo.storage.tables import blobs, cohorts, lanes

_INSERT_LANES = BulkInsert(lanes, ("cohort", "place", "number", "repeat", "fold"))


def add(connection: Connection, study: int, plans: Sequence[CohortPlan]) -> list[Cohort]:
    """Insert cohorts, READY, and their lanes: those of one trial together, trials by number."""
    common = {"study_id": study, "state": CohortState.READY, "attempt": 0, "epoch": 0}
    numbered = insert(cohorts).returning(cohorts.c.id, sort_by_parameter_order=True)
    ids = connection.execute(
        numbered, [common | {"repeats": plan.repeats, "folds": plan.folds} for plan in plans]
    ).scalars()
    made: list[Cohort] = []
    rows: list[tuple[int, ...]] = []
    for id_, plan in zip(ids, plans, strict=True):
        places = product(plan.numbers, range(plan.repeats), range(plan.folds))
        rows += [(id_, place, number, repeat, fold) for place, (number, repeat, fold) in enumerate(places)]
        made.append(
            Cohort(
                id=id_,
                study=study,
                state=CohortState.READY,
                attempt=0,
                epoch=0,
                driver=None,
                numbers=plan.numbers,
                repeats=plan.repeats,
                folds=plan.folds,
            )
        )
    _INSERT_LANES(connection, rows)
    return made


def not_done(connection: Connection, study: int) -> list[Cohort]:
    """The cohorts of a study that are not DONE, by id."""
    wanted = cohorts.c.study_id == study, cohorts.c.state != CohortState.DONE
    found = connection.execute(select(cohorts).where(*wanted).order_by(cohorts.c.id)).all()
    numbers: dict[int, dict[int, None]] = defaultdict(dict)
    of_lanes = select(lanes.c.cohort, lanes.c.number).join(cohorts, cohorts.c.id == lanes.c.cohort)
    for cohort, number in connection.execute(of_lanes.where(*wanted).order_by(lanes.c.cohort, lanes.c.place)):
        numbers[cohort].setdefault(number)
    return [cohort_of(row, tuple(numbers[row.id])) for row in found]


def start(connection: Connection, held: Claim, cohort: int) -> Cohort:
    """To RUNNING under the next attempt. Raises LeaseLost, also when the cohort is DONE."""
    now = fence(connection, held).now
    row = _locked(connection, held, cohort)
    if row is None or row.state == CohortState.DONE:
        raise LeaseLost(f"cohort {cohort} of study {held.name!r} is done")
    connection.execute(
        update(cohorts)
        .where(cohorts.c.id == cohort)
        .values(
            state=CohortState.RUNNING,
            attempt=row.attempt + 1,
            started_at=utc(now),
            **driver_columns(held.driver, now + LEASE_S),
        )
    )
    of_lanes = select(lanes.c.number).where(lanes.c.cohort == cohort).order_by(lanes.c.place)
    numbers = tuple(dict.fromkeys(connection.execute(of_lanes).scalars()))
    fresh = connection.execute(select(cohorts).where(cohorts.c.id == cohort)).one()
    return cohort_of(fresh, numbers)


def check(connection: Connection, held: Claim, cohort: int, attempt: int) -> int | None:
    """Which blob is kept of it, if any. Raises LeaseLost unless that attempt of the cohort is the one that runs."""
    row = _locked(connection, held, cohort)
    if row is None or row.attempt != attempt or row.state != CohortState.RUNNING:
        raise LeaseLost(f"attempt {attempt} at cohort {cohort} of study {held.name!r} is void")
    return None if row.checkpoint is None else int(row.checkpoint)


def is_done(connection: Connection, held: Claim, cohort: int, attempt: int) -> bool:
    """Whether that attempt has been ended, under the same claim."""
    row = _locked(connection, held, cohort)
    return row is not None and row.attempt == attempt and row.state == CohortState.DONE


def save(connection: Connection, held: Claim, cohort: int, attempt: int, data: bytes) -> None:
    """Keep where the cohort stands, in place of an earlier time. Raises LeaseLost."""
    fence(connection, held)
    forget(connection, check(connection, held, cohort, attempt))
    blob = blob_rows.write(connection, blob_rows.cut(data), len(data), held.study)
    change(connection, cohort, checkpoint=blob)


def saved(connection: Connection, cohort: int) -> bytes | None:
    """Where it stood when that was kept last."""
    blob = connection.execute(select(cohorts.c.checkpoint).where(cohorts.c.id == cohort)).scalar_one_or_none()
    return None if blob is None else blob_rows.whole(connection, blob)


def forget(connection: Connection, kept: int | None) -> None:
    """Let go of what is kept of a cohort."""
    if kept is not None:
        connection.execute(delete(blobs).where(blobs.c.id == kept))


def change(connection: Connection, cohort: int, **columns: Any) -> None:
    """Set columns of a cohort."""
    connection.execute(update(cohorts).where(cohorts.c.id == cohort).values(**columns))


def _locked(connection: Connection, held: Claim, cohort: int) -> Row[Any] | None:
    wanted = select(cohorts).where(cohorts.c.id == cohort, cohorts.c.study_id == held.study)
    return connection.execute(wanted.with_for_update()).one_or_none()
