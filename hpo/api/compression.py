"""Compression of answers: of text that is long enough, never of events, never of what is packed already."""

from __future__ import annotations

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp

from hpo.api.schemas.problem import MEDIA_TYPE as PROBLEM

LONG_ENOUGH = 1_000  # bytes
LEVEL = 4  # of a page of trials half the time of 9, and a few per cent more bytes
PACKED = ("application/vnd.apache.parquet", "application/octet-stream")
# A problem is short, and read once more on its way to who browses.


class Compression(GZipMiddleware):
    """gzip, for clients that take it."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app,
            minimum_size=LONG_ENOUGH,
            compresslevel=LEVEL,
            exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *PACKED, PROBLEM),
        )
