"""The Optuna dashboard as a process of its own, which ends by itself when nobody has come for long."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import optuna.storages
import optuna_dashboard

log = logging.getLogger(__name__)

IDLE_S = 1800.0
NICENESS = 10  # its JSON of a large study takes seconds: training and the API go first
_LOOK_S = 30.0

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    """Serves on a socket that is there already, of the network or of the file system."""

    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = "localhost", 80
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection; in the file system nobody has an address."""
        connection, address = super().get_request()
        return connection, address or ("local", 0)


class _Handler(WSGIRequestHandler):
    """Says nothing: the API has logged the request."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


def run_dashboard(
    url: str, listening: socket.socket, *, ready: Callable[[], None], idle_s: float | None = IDLE_S
) -> None:
    """Show the studies of a database until nobody has asked for idle_s seconds (None: for ever).

    ready: called when visitors are answered; url: of SQLAlchemy. The dashboard gets a storage, not a URL:
    with a URL each look at a study of 10,000 trials reads them all again.
    """
    os.nice(NICENESS)
    application: Application = optuna_dashboard.wsgi(optuna.storages.get_storage(url))
    seen = [time.monotonic()]

    def noting(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        seen[0] = time.monotonic()
        return application(environ, start)

    server = _Server(listening)
    server.set_app(noting)
    if idle_s is not None:
        threading.Thread(target=_end_when_idle, args=(server, seen, idle_s), daemon=True).start()
    # shutdown waits for the loop that this very thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    ready()
    server.serve_forever()


def _end_when_idle(server: _Server, seen: list[float], idle_s: float) -> None:
    while (left := seen[0] + idle_s - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_S))
    log.info("nobody has looked for %.0f s", idle_s)
    server.shutdown()
