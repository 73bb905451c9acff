"""The model kept for a study, and the test score of the chosen trial."""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, insert, select

from hpo.storage import blobs as blob_rows
from hpo.storage import studies as study_rows
from hpo.storage.base import Claim, ScoredTest, StoredModel
from hpo.storage.claims import fence
from hpo.storage.engine import utc
from hpo.storage.records import to_json
from hpo.storage.tables import blobs, models


def save(connection: Connection, held: Claim, model: StoredModel) -> None:
    """Keep a model in place of the study's earlier one. Raises LeaseLost."""
    now = utc(fence(connection, held).now)
    earlier = select(models.c.blob).where(models.c.study_id == held.study)
    ids = list(connection.execute(earlier).scalars())
    connection.execute(delete(models).where(models.c.study_id == held.study))
    connection.execute(delete(blobs).where(blobs.c.id.in_(ids)))
    blob = blob_rows.write(connection, blob_rows.cut(model.data), len(model.data), held.study)
    connection.execute(
        insert(models).values(
            study_id=held.study,
            number=model.number,
            value=model.value,
            meta=to_json(model.meta),
            blob=blob,
            saved_at=now,
        )
    )


def load(connection: Connection, name: str) -> StoredModel | None:
    """The kept model. Raises StudyNotFound."""
    id_ = study_rows.study_id(connection, name)
    row = connection.execute(select(models).where(models.c.study_id == id_)).one_or_none()
    if row is None:
        return None
    data = blob_rows.whole(connection, row.blob)
    return StoredModel(number=row.number, value=row.value, data=data, meta=json.loads(row.meta))


def save_test(connection: Connection, held: Claim, made: ScoredTest) -> None:
    """Keep the test score and count how often a test was made. Raises LeaseLost."""
    row = fence(connection, held)
    scored = 0 if row.test is None else json.loads(row.test)["scored"]
    study_rows.change(connection, held.study, test=to_json(made.record(scored + 1)))
