"""HTTP/1.1 by uvicorn, with an end to heads of requests that are too long, too slow or no HTTP; it has none itself."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hpo.api.problems import problem_of
from hpo.errors import BadRequest, HeadersTooLarge, HpoError, TooSlow

MAX_HEAD_BYTES = 64 << 10


class Protocol(HttpToolsProtocol):
    """One connection."""

    head_s: ClassVar[float] = 15.0  # from the first byte of a head, or from the beginning, to the head's end

    _in_head = True
    _n_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, a body, or both."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._n_bytes += len(data)
            self._wait()
        super().data_received(data)
        if self._in_head and self._n_bytes > MAX_HEAD_BYTES:
            self._refuse(HeadersTooLarge(f"the head of a request has at most {MAX_HEAD_BYTES:,} bytes"))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head, self._n_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there: what comes next is a head."""
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """This is no HTTP."""
        self._refuse(BadRequest("this is no HTTP/1.1 request"))

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse(TooSlow())

    def _refuse(self, error: HpoError) -> None:
        """Answer with a problem and hang up; in the middle of another answer only hang up."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            answer = problem_of(error)
            head = [
                f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode(),
                b"connection: close",
            ]
            head += [b"%b: %b" % pair for pair in answer.raw_headers if pair[0] != b"connection"]
            self.transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))
        self.transport.close()
