"""Settings that wait for the next free number, in the database: put at the end, taken with their trial's insert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, union_all

from hpo.states import FINAL, StudyState
from hpo.storage import quotas
from hpo.storage import studies as study_rows
from hpo.storage.base import Entry
from hpo.storage.engine import utc
from hpo.storage.records import queued_of, study_of, to_json
from hpo.storage.rules import check_enqueue, check_not_retried, check_queued
from hpo.storage.tables import queue, trials
from hpo.study import Study
from hpo.trial import Queued, TrialPlan


def add(connection: Connection, study: int, entries: Sequence[Entry], now: datetime) -> None:
    """Put settings at the end of a study's queue."""
    if entries:
        connection.execute(
            insert(queue),
            [
                {"study_id": study, "params": to_json(params), "retry_of": retry_of, "created_at": now}
                for params, retry_of in entries
            ],
        )


def enqueue(connection: Connection, name: str, entries: Sequence[Entry], served: bool | None = None) -> Study:
    """Put settings at the end, raise the total, wake a study that has ended.

    Raises StudyNotFound, IllegalMove, QuotaReached.
    """
    row = study_rows.find(connection, name, lock=True)
    study = study_of(row)
    check_enqueue(study, len(entries))
    if not entries:
        return study
    _check_retries(connection, study, [number for _, number in entries if number is not None])
    quotas.check_growth(connection, study, study.n_trials + len(entries))
    add(connection, study.id, entries, utc(row.now))
    study_rows.change(connection, study.id, n_trials=study.n_trials + len(entries))
    if study.state in FINAL:
        study_rows.leave(connection, row, StudyState.QUEUED, None)
    study_rows.hand_over(connection, study, served)
    return study_rows.reread(connection, study.id)


def _check_retries(connection: Connection, study: Study, numbers: Sequence[int]) -> None:
    """Raises IllegalMove for a trial that has a retry, waiting or planned. study: its row is locked."""
    if numbers:
        again = [
            select(of.c.retry_of).where(of.c.study_id == study.id, of.c.retry_of.is_not(None))
            for of in (queue, trials)
        ]
        retried = connection.execute(union_all(*again)).scalars()
        check_not_retried(study.name, numbers, set(retried))


def waiting(connection: Connection, name: str) -> list[Queued]:
    """A study's queue, the first to go first. Raises StudyNotFound."""
    of_study = queue.c.study_id == study_rows.study_id(connection, name)
    rows = connection.execute(select(queue).where(of_study).order_by(queue.c.id))
    return [queued_of(row) for row in rows]


def take(connection: Connection, study: int, plans: Sequence[TrialPlan]) -> None:
    """Remove the entries that plans were made of. Raises ValueError when one is not there."""
    ids = [plan.queued for plan in plans if plan.queued is not None]
    if not ids:
        return
    mine = queue.c.study_id == study
    known = set(connection.execute(select(queue.c.id).where(mine)).scalars())
    check_queued(ids, known)
    connection.execute(delete(queue).where(mine, queue.c.id.in_(ids)))
