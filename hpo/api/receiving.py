"""Bodies as they come in: of a kind that no web page can send to another site, not too large, not too slow."""

from __future__ import annotations

import asyncio
import re

from starlette.types import Message, Receive

from hpo.api.asked import Head
from hpo.errors import BadRequest, TooLarge, TooSlow, WrongMediaType

BODY_BYTES = 1 << 20
LEAST_BYTES_PER_S = 64 << 10  # a whole body may take one wait more than it takes at this speed

# A page of any site may make a browser send bodies of these kinds, to any server, without asking.
_OF_FORMS = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
_UPLOADS = re.compile(r"/api/v1/(?:datasets|studies/[^/]+/predict)(?:[/:].*)?")
_FORMS = ("/login",)


def check_media_type(head: Head, path: str) -> None:
    """Raises WrongMediaType for a body that a page of another site could have sent."""
    if head.has_body and head.media_type in _OF_FORMS and path not in _FORMS:
        raise WrongMediaType(
            f"Content-Type must be application/json or application/yaml, got {head.media_type or 'nothing'}"
        )


def limit_of(path: str, upload_bytes: int) -> int:
    """How long a body of a path may be.

    >>> limit_of("/api/v1/studies", 9 << 20), limit_of("/api/v1/datasets", 9 << 20)
    (1048576, 9437184)
    """
    return max(upload_bytes, BODY_BYTES) if _UPLOADS.fullmatch(path) else BODY_BYTES


def check_length(head: Head, limit: int) -> None:
    """Raises TooLarge for a body that says so itself, before a byte of it is read; BadRequest."""
    said = head.text(b"content-length")
    if said and not said.isdecimal():
        raise BadRequest("Content-Length must be a whole number")
    if said and int(said) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    cure = "; HPO_MAX_UPLOAD_MB of the server says so" if limit > BODY_BYTES else ""
    return TooLarge(f"a body here has at most {limit:,} bytes{cure}")


def limited(receive: Receive, limit: int, patience_s: float) -> Receive:
    """Receives for the application, which sees TooLarge, or TooSlow, where the body becomes it.

    patience_s: the longest wait for the next piece
    """
    n_bytes, begun, whole = 0, 0.0, False

    async def next_piece() -> Message:
        nonlocal n_bytes, begun, whole
        if whole:  # what comes now is word that the client has left
            return await receive()
        now = asyncio.get_running_loop().time()
        begun = begun or now
        left = begun + patience_s + limit / LEAST_BYTES_PER_S - now
        try:
            async with asyncio.timeout(min(patience_s, left)):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        n_bytes += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if n_bytes > limit:
            raise _too_large(limit)
        return message

    return next_piece
