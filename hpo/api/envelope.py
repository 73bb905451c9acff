"""What goes around every answer: a request id, headers that keep browsers in bounds, a problem when all else failed."""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.account import hide_secrets
from hpo.api.problems import unexpected
from hpo.asking import REQUEST_ID

log = logging.getLogger(__name__)

API = "/api/"
_OUR_ID, _THEIR_ID = 8, re.compile(rb"[A-Za-z0-9._-]{1,64}")

_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_PAGE: tuple[tuple[bytes, bytes], ...] = ((b"content-security-policy", b"frame-ancestors 'none'"),)
_DATA: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"private, no-cache"),
)


class Envelope:
    """The outermost middleware of ours. What an answer says itself, it keeps."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, began = _request_id(scope), time.perf_counter()
        # Not taken back: the server gives each request a context of its own.
        REQUEST_ID.set(request_id)
        begun = False

        async def sealed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                took_ms = (time.perf_counter() - began) * 1000
                log.debug("%s %s: %d, %.1f ms", scope["method"], _address(scope), message["status"], took_ms)
                message["headers"] = _with_ours(message.get("headers", ()), scope["path"], request_id)
            await send(message)

        try:
            await self._app(scope, receive, sealed)
        except Exception as error:  # the door: whatever it is, it has become a problem and a line of the log
            answer = unexpected(scope["method"], _address(scope), error)
            if begun:
                raise  # the server cuts the connection: half an answer must not look whole
            await answer(scope, receive, sealed)


def _address(scope: Scope) -> str:
    """What was asked for, without line breaks that would begin a log line of their own."""
    path = scope["path"].encode("unicode_escape").decode("ascii")
    query = str(scope["query_string"], "latin-1")
    return f"{path}?{query}" if query else path


def _request_id(scope: Scope) -> str:
    """The id that the client gave, or one of ours."""
    for name, given in scope["headers"]:
        if name == b"x-request-id" and _THEIR_ID.fullmatch(given):
            word = str(given, "ascii")
            if hide_secrets(word) == word:
                return word
    return secrets.token_hex(_OUR_ID)


def _with_ours(headers: list[tuple[bytes, bytes]], path: str, request_id: str) -> list[tuple[bytes, bytes]]:
    said = {name.lower() for name, _ in headers}
    ours = (*_ALWAYS, *(_DATA if path.startswith(API) else _PAGE), (b"x-request-id", request_id.encode()))
    return [*headers, *((name, value) for name, value in ours if name not in said)]
