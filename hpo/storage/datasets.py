"""Uploaded data sets: bytes by their SHA-256, so that the same file is kept once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

from sqlalchemy import Connection, Row, and_, collate, delete, insert, or_, select

from hpo.errors import DatasetNotFound
from hpo.states import FINAL
from hpo.storage import blobs as blob_rows
from hpo.storage import optuna_tables as optuna
from hpo.storage.base import StoredDataset
from hpo.storage.engine import aware, database_now, utc
from hpo.storage.ordering import words_of
from hpo.storage.records import to_json
from hpo.storage.rules import check_unused
from hpo.storage.tables import blobs, datasets, studies


def spool(pieces: Iterable[bytes], file: IO[bytes]) -> tuple[str, int]:
    """Write pieces into a file and go back to its start; SHA-256 and length."""
    digest, n_bytes = hashlib.sha256(), 0
    for piece in pieces:
        file.write(piece)
        digest.update(piece)
        n_bytes += len(piece)
    file.seek(0)
    return digest.hexdigest(), n_bytes


def add(
    connection: Connection, name: str, file: IO[bytes], sha256: str, n_bytes: int, info: Mapping[str, Any]
) -> StoredDataset:
    """Keep a file's bytes, or find that they are kept already."""
    known = connection.execute(select(datasets).where(datasets.c.sha256 == sha256)).one_or_none()
    if known is not None:
        return _dataset_of(known)
    blob = blob_rows.write(connection, blob_rows.cut_file(file), n_bytes, None)
    id_ = f"ds_{sha256[:16]}"
    connection.execute(
        insert(datasets).values(
            id=id_,
            name=name,
            sha256=sha256,
            n_bytes=n_bytes,
            info=to_json(info),
            blob=blob,
            added_at=utc(connection.execute(select(database_now())).scalar_one()),
        )
    )
    return get(connection, id_)


def _dataset_of(row: Row[Any]) -> StoredDataset:
    return StoredDataset(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        n_bytes=row.n_bytes,
        info=json.loads(row.info),
        added_at=aware(row.added_at),
    )


def list_some(
    connection: Connection, limit: int | None, after: tuple[str, str] | None
) -> list[StoredDataset]:
    """By name, then id; by code points, whatever the database's own language."""
    plain = connection.dialect.name == "sqlite"
    name = datasets.c.name if plain else collate(datasets.c.name, "C")
    wanted = select(datasets).order_by(name, datasets.c.id).limit(limit)
    if after is not None:
        last, id_ = after
        wanted = wanted.where(or_(name > last, and_(name == last, datasets.c.id > id_)))
    return [_dataset_of(row) for row in connection.execute(wanted)]


def _find(connection: Connection, key: str, *, lock: bool = False) -> Row[Any]:
    """By id, or else the newest of that name. Raises DatasetNotFound."""
    wanted = select(datasets).where(or_(datasets.c.id == key, datasets.c.name == key))
    wanted = wanted.order_by((datasets.c.id == key).desc(), datasets.c.added_at.desc()).limit(1)
    row = None
    if words_of(key) is not None:  # else there is no asking PostgreSQL
        row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise DatasetNotFound(f"no data set is called {key!r}; `hpo data ls` shows what there is")
    return row


def get(connection: Connection, key: str) -> StoredDataset:
    """One data set. Raises DatasetNotFound."""
    return _dataset_of(_find(connection, key))


def blob_of(connection: Connection, key: str) -> int:
    """Where its bytes are. Raises DatasetNotFound."""
    return int(_find(connection, key).blob)


def remove(connection: Connection, key: str) -> None:
    """Remove it. Raises DatasetNotFound, IllegalMove while a study that is not final uses it."""
    row = _find(connection, key, lock=True)
    unfinished = (
        select(optuna.studies.c.study_name, studies.c.spec)
        .join(optuna.studies, optuna.studies.c.study_id == studies.c.study_id)
        .where(studies.c.state.not_in(FINAL))
    )
    for name, spec in connection.execute(unfinished):
        check_unused(_dataset_of(row), name, json.loads(spec))
    connection.execute(delete(datasets).where(datasets.c.id == row.id))
    connection.execute(delete(blobs).where(blobs.c.id == row.blob))
