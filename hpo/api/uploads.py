"""Uploads: a body written to a temporary file as it comes, never wholly in memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from typing import IO, Annotated

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from hpo.api.bodies import media_type_of
from hpo.errors import BadRequest, UploadsFull, WrongMediaType

# What a file of a table may be sent as; which it is, its content says.
MEDIA_TYPES = (
    "application/octet-stream",
    "text/csv",
    "text/tab-separated-values",
    "application/vnd.apache.parquet",
    "application/x-npz",
    "application/gzip",
    "application/x-gzip",
    "application/zip",
)
_IN_MEMORY = 1 << 20


async def _uploaded(request: Request) -> AsyncIterator[IO[bytes]]:
    """The body as a file, gone when the request is answered. Raises WrongMediaType, BadRequest, UploadsFull.

    How long it may be the guard sees to: TooLarge comes out of the stream.
    """
    said = media_type_of(request)
    if said not in MEDIA_TYPES:
        raise WrongMediaType(
            f"Content-Type must be application/octet-stream, got {said or 'nothing'}; "
            f"{', '.join(MEDIA_TYPES[1:])} do as well"
        )
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        try:
            async for piece in request.stream():
                file.write(piece)
            file.seek(0)
        except ClientDisconnect:
            raise BadRequest("the upload was cut off; nothing of it was kept") from None
        except OSError as error:
            raise UploadsFull(
                f"the folder {tempfile.gettempdir()} takes no more: {error.strerror}"
            ) from error
        yield file


Uploaded = Annotated[IO[bytes], Depends(_uploaded)]

BODY = {
    "required": True,
    "description": "The file as it is: CSV, TSV, Parquet or NPZ, each packed with gzip or not.",
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
}
