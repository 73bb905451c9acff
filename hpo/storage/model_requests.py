"""Requests for models that were not kept, in the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from hpo.errors import TrialNotFound
from hpo.storage import optuna_tables as optuna
from hpo.storage import studies as study_rows
from hpo.storage.base_models import ModelRequest
from hpo.storage.engine import database_now
from hpo.storage.service_tables import model_requests
from hpo.storage.tables import trials


def ask(connection: Connection, name: str, number: int) -> ModelRequest:
    """Ask for a trial's model. Raises StudyNotFound, TrialNotFound."""
    study = study_rows.find(connection, name, lock=True)
    there = select(trials.c.number).where(trials.c.study_id == study.study_id, trials.c.number == number)
    if connection.execute(there).one_or_none() is None:
        raise TrialNotFound(f"study {name!r} has no trial {number}")
    found = one(connection, name, number)
    if found is not None and not found.failed:
        return found
    strike(connection, study.study_id, number)
    connection.execute(
        insert(model_requests).values(
            study_id=study.study_id, number=number, failed=False, requested_at_s=study.now
        )
    )
    return ModelRequest(study=name, number=number, age_s=0.0)


def one(connection: Connection, name: str, number: int) -> ModelRequest | None:
    """The request for a trial's model. Raises StudyNotFound."""
    wanted = _query().where(
        model_requests.c.study_id == study_rows.study_id(connection, name), model_requests.c.number == number
    )
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _request(row)


def open_ones(connection: Connection) -> list[ModelRequest]:
    """The requests of all studies that have not failed, the oldest first."""
    wanted = _query().where(model_requests.c.failed.is_(False))
    order = (model_requests.c.requested_at_s, model_requests.c.study_id, model_requests.c.number)
    return [_request(row) for row in connection.execute(wanted.order_by(*order))]


def refuse(connection: Connection, name: str, number: int, detail: str) -> None:
    """Note why there will be no such model. Raises StudyNotFound."""
    mine = _of(study_rows.study_id(connection, name), number)
    connection.execute(update(model_requests).where(mine).values(failed=True, detail=detail))


def strike(connection: Connection, study: int, number: int) -> None:
    """A request is no more."""
    connection.execute(delete(model_requests).where(_of(study, number)))


def _of(study: int, number: int) -> Any:
    return (model_requests.c.study_id == study) & (model_requests.c.number == number)


def _query() -> Select[Any]:
    age = (database_now() - model_requests.c.requested_at_s).label("age_s")
    return select(model_requests, optuna.studies.c.study_name, age).join(
        optuna.studies, optuna.studies.c.study_id == model_requests.c.study_id
    )


def _request(row: Row[Any]) -> ModelRequest:
    return ModelRequest(
        study=row.study_name,
        number=row.number,
        age_s=max(0.0, row.age_s),
        failed=bool(row.failed),
        detail=row.detail,
    )
