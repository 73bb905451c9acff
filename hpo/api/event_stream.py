"""Server-sent events as they travel, and an answer made of them that nobody in between holds back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from pydantic_core import to_json
from starlette.responses import StreamingResponse
from starlette.types import Send

from hpo.service.events import Place

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2000  # after which a client that lost the stream comes back
HEARTBEAT = b": still here\n\n"
STUCK_S = 30.0  # a client that takes nothing for so long has gone


def begin() -> bytes:
    """What a stream begins with."""
    return b"retry: %d\n\n" % RETRY_MS


def event(kind: str, record: object, place: Place | None = None) -> bytes:
    """An event. place: what Last-Event-ID is from then on.

    >>> event("study", {"state": "RUNNING"}, Place(n=3))
    b'event: study\\nid: 3\\ndata: {"state":"RUNNING"}\\n\\n'
    """
    return event_of(kind, to_json(record, inf_nan_mode="null"), place)


def event_of(kind: str, data: bytes, place: Place | None = None) -> bytes:
    """An event of JSON that is written already."""
    mark = b"" if place is None else f"id: {place}\n".encode()
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), mark, data)


class EventStream(StreamingResponse):
    """An answer that goes on until its events end or the client has gone."""

    media_type = MEDIA_TYPE

    async def stream_response(self, send: Send) -> None:
        """Send piece by piece; each is on its way before the next is made."""
        headers = [*self.raw_headers, (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        # Closed here, not when the garbage collector comes by: a follower that has gone costs nothing.
        async with aclosing(self.body_iterator) as pieces:  # type: ignore[type-var]
            try:
                async for piece in pieces:
                    async with asyncio.timeout(STUCK_S):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                return  # the server cuts what is left of the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})
