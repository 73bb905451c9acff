"""The files of the pages, under addresses that change with their bytes, so that browsers may keep them for good."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response

from hpo.figures.script import plotly_js
from hpo.service import dashboard_files

router = APIRouter(include_in_schema=False)

FOREVER = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
# Not ours: read where they are installed. Each has a version of its own, or every change of ours would send it again.
LIBRARIES: dict[str, Callable[[], str]] = {"plotly.js": plotly_js}
_DIGITS = 16  # of a digest: nobody makes two of ours collide but ourselves


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its address, its bytes, plain and packed."""

    address: str
    media_type: str
    plain: bytes
    packed: bytes


@functools.cache
def address(name: str) -> str:
    """Where a file is, `/assets/{version}/{name}`. Raises KeyError where there is none of that name."""
    if name in LIBRARIES:
        return f"/assets/{_digest([LIBRARIES[name]()])}/{name}"
    ours = dashboard_files.texts("assets")
    ours[name]  # else a page would name a file that nobody has
    # One version of all: modules import one another by their place beside each other.
    return f"/assets/{_digest(ours.values())}/{name}"


def _digest(texts: Iterable[str]) -> str:
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\0")
    return found.hexdigest()[:_DIGITS]


@functools.cache
def _asset(name: str) -> Asset:
    """A file by its name; packed once, since plotly.js takes a third of a second. Raises KeyError."""
    where = address(name)
    plain = (LIBRARIES[name]() if name in LIBRARIES else dashboard_files.texts("assets")[name]).encode()
    media_type = MEDIA_TYPES["." + name.rpartition(".")[2]]
    return Asset(where, media_type, plain, gzip.compress(plain, compresslevel=6, mtime=0))


@router.get("/assets/{version}/{name}")
def asset(request: Request, version: str, name: str) -> Response:
    """One file. Another version of it is not here: whoever asks for that has a page of another server."""
    try:
        found = _asset(name)
    except KeyError:
        raise HTTPException(404) from None
    if found.address != f"/assets/{version}/{name}":
        raise HTTPException(404)
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(found.plain, media_type=found.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(found.packed, media_type=found.media_type, headers=headers)
