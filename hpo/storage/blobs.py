"""Bytes of any length in chunks of at most 1 MiB: models, data sets, checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from sqlalchemy import Connection, insert, select

from hpo.storage.tables import CHUNK_BYTES, blobs, chunks


def write(connection: Connection, pieces: Iterable[bytes], n_bytes: int, study: int | None) -> int:
    """Keep bytes given in pieces of at most CHUNK_BYTES, for a study or for all; the blob's id."""
    result = connection.execute(insert(blobs).values(study_id=study, n_bytes=n_bytes))
    id_ = int(result.inserted_primary_key[0])  # type: ignore[index]
    for place, piece in enumerate(pieces):
        connection.execute(insert(chunks), {"blob": id_, "place": place, "data": piece})
    return id_


def cut(data: bytes) -> Iterator[bytes]:
    """Bytes in pieces of at most CHUNK_BYTES."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def cut_file(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of a file in pieces of at most CHUNK_BYTES."""
    while piece := file.read(CHUNK_BYTES):
        yield piece


def piece(connection: Connection, blob: int, place: int) -> bytes | None:
    """One chunk; None when there is none."""
    wanted = select(chunks.c.data).where(chunks.c.blob == blob, chunks.c.place == place)
    data = connection.execute(wanted).scalar_one_or_none()
    return None if data is None else bytes(data)


def whole(connection: Connection, blob: int) -> bytes:
    """All bytes of a blob."""
    wanted = select(chunks.c.data).where(chunks.c.blob == blob).order_by(chunks.c.place)
    return b"".join(bytes(data) for data in connection.execute(wanted).scalars())
