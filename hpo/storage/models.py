"""The models kept for a study: that of its best trial, and those that somebody asked for; the test score."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from hpo.storage import blobs as blob_rows
from hpo.storage import studies as study_rows
from hpo.storage.base import Claim, ScoredTest
from hpo.storage.base_models import MOST_ASKED, KeptModel, StoredModel
from hpo.storage.claims import fence
from hpo.storage.engine import aware, utc
from hpo.storage.records import to_json
from hpo.storage.tables import blobs, models


def save(connection: Connection, held: Claim, model: StoredModel) -> None:
    """Keep the best trial's model in place of the study's earlier one. Raises LeaseLost."""
    now = fence(connection, held).now
    _remove(connection, held.study, [model.number, *_numbers(connection, held.study, asked=False)])
    _insert(connection, held.study, model, now, asked=False)


def keep_asked(connection: Connection, name: str, model: StoredModel) -> int:
    """Keep a model that somebody asked for; the id of its study. Raises StudyNotFound."""
    row = study_rows.find(connection, name, lock=True)
    known = _row(connection, row.study_id, model.number)
    _remove(connection, row.study_id, [model.number])
    asked = _numbers(connection, row.study_id, asked=True)
    _remove(connection, row.study_id, asked[: max(0, len(asked) + 1 - MOST_ASKED)])
    _insert(connection, row.study_id, model, row.now, asked=known is None or bool(known.asked))
    return int(row.study_id)


def _numbers(connection: Connection, study: int, *, asked: bool) -> list[int]:
    """The trials whose models are kept because somebody asked, or for being the best; the oldest first."""
    wanted = select(models.c.number).where(models.c.study_id == study, models.c.asked == asked)
    return list(connection.execute(wanted.order_by(models.c.saved_at, models.c.number)).scalars())


def _remove(connection: Connection, study: int, numbers: list[int]) -> None:
    mine = (models.c.study_id == study) & models.c.number.in_(numbers)
    ids = list(connection.execute(select(models.c.blob).where(mine)).scalars())
    connection.execute(delete(models).where(mine))
    connection.execute(delete(blobs).where(blobs.c.id.in_(ids)))


def _insert(connection: Connection, study: int, model: StoredModel, now: float, *, asked: bool) -> None:
    blob = blob_rows.write(connection, blob_rows.cut(model.data), len(model.data), study)
    connection.execute(
        insert(models).values(
            study_id=study,
            number=model.number,
            value=model.value,
            meta=to_json(model.meta),
            blob=blob,
            saved_at=utc(now),
            asked=asked,
        )
    )


def load(connection: Connection, name: str, number: int | None) -> StoredModel | None:
    """The kept model of a trial, or of the best one so far. Raises StudyNotFound."""
    row = _row(connection, study_rows.study_id(connection, name), number)
    if row is None:
        return None
    data = blob_rows.whole(connection, row.blob)
    return StoredModel(number=row.number, value=row.value, data=data, meta=json.loads(row.meta))


def _row(connection: Connection, study: int, number: int | None) -> Row[Any] | None:
    which = models.c.asked.is_(False) if number is None else models.c.number == number
    return connection.execute(select(models).where(models.c.study_id == study, which)).one_or_none()


def kept(connection: Connection, name: str) -> list[KeptModel]:
    """The kept models by number, without their bytes. Raises StudyNotFound."""
    id_ = study_rows.study_id(connection, name)
    wanted = (
        select(models.c.number, models.c.value, models.c.asked, models.c.saved_at, blobs.c.n_bytes)
        .join(blobs, blobs.c.id == models.c.blob)
        .where(models.c.study_id == id_)
        .order_by(models.c.number)
    )
    return [
        KeptModel(
            number=row.number,
            value=row.value,
            n_bytes=row.n_bytes,
            asked=bool(row.asked),
            saved_at=aware(row.saved_at) or row.saved_at,
        )
        for row in connection.execute(wanted)
    ]


def save_test(connection: Connection, held: Claim, made: ScoredTest) -> None:
    """Keep the test score and count how often a test was made. Raises LeaseLost."""
    row = fence(connection, held)
    scored = 0 if row.test is None else json.loads(row.test)["scored"]
    study_rows.change(connection, held.study, test=to_json(made.record(scored + 1)))
