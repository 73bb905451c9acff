"""ETags: a hash of what a GET answers; who has it already is told so instead.

They are weak, since the same answer is sent compressed and plain.
"""

from __future__ import annotations

import hashlib
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.api.json import Json
from hpo.errors import Changed

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_KEPT = (b"etag", b"cache-control", b"vary", b"content-location", b"date", b"expires")  # of a 304


def tag_of(body: bytes) -> str:
    """The ETag of a body, without quotes."""
    return hashlib.sha256(body).hexdigest()[:24]


def versioned(answer: Json, version: str) -> Json:
    """An answer whose ETag also names what may be changed of it, so that If-Match looks at nothing else."""
    answer.headers["ETag"] = f'W/"{tag_of(bytes(answer.body))}.{version}"'
    return answer


def versions_of(if_match: str | None) -> tuple[str, ...] | None:
    """The versions that an If-Match names; None where any will do. Raises Changed for tags that name none."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = tuple(tag.partition(".")[2] for tag in _TAG.findall(if_match))
    if not any(found):
        raise Changed("If-Match is no ETag that GET has given; read it again", field="If-Match")
    return found


class ETags:
    """Gives JSON that is sent in one piece an ETag, and answers 304 where If-None-Match has that, or a route's own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        started: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start" and _may_be_had(message):
                started = message  # held back until the body is there
                return
            if started is not None and message["type"] == "http.response.body":
                if not message.get("more_body"):
                    message = _answer(scope, started, message)
                await send(started)
                started = None
            await send(message)

        await self._app(scope, receive, tagged)


def _may_be_had(start: Message) -> bool:
    headers = dict(start["headers"])
    is_json = headers.get(b"content-type", b"").startswith(b"application/json")
    return bool(start["status"] == 200 and (is_json or b"etag" in headers))


def _answer(scope: Scope, start: Message, body: Message) -> Message:
    """The body as it is to be sent; the start is given its ETag, or becomes a 304."""
    headers = dict(start["headers"])
    tag = headers.get(b"etag") or f'W/"{tag_of(body.get("body", b""))}"'.encode()
    asked = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
    own = _TAG.findall(tag.decode("latin-1"))
    if asked.strip() == "*" or set(own) & set(_TAG.findall(asked)):
        kept = [(name, value) for name, value in start["headers"] if name in _KEPT and name != b"etag"]
        start["status"], start["headers"] = 304, [*kept, (b"etag", tag)]
        return {**body, "body": b""}
    if b"etag" not in headers:
        start["headers"] = [*start["headers"], (b"etag", tag)]
    return body
