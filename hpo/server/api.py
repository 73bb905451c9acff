"""The API as a process of its own: uvicorn on a socket that is there already."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from hpo.api.app import make_app
from hpo.api.site import Site
from hpo.server.http import HttpServer, http_config
from hpo.server.sockets import BACKLOG

if TYPE_CHECKING:
    from hpo.api.traces import Traces

log = logging.getLogger(__name__)

_GARBAGE = 50_000  # objects made since the last look; Python: 700
_TRACES_WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class _Server(HttpServer):
    """A server that says when it is ready, and whose signals are caught outside of it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own way ends the process by the signal once more, so that a good end looks like a bad one."""
        yield


def traces_wanted(environ: Mapping[str, str]) -> Traces | None:
    """Where spans go if OTEL_EXPORTER_OTLP_ENDPOINT says so; what is missing for that is said in the log."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or not any(environ.get(name) for name in _TRACES_WANTED):
        return None
    try:
        # Imported only now: it belongs to the extra `telemetry`.
        module = importlib.import_module("hpo.api.traces")
    except ModuleNotFoundError as error:
        log.warning(
            "no traces are sent though %s is set: %s is not installed; pip install 'hpo[telemetry]'",
            _TRACES_WANTED[0],
            error.name,
        )
        return None
    traces: Traces = module.Traces()
    return traces


def _let_garbage_wait() -> None:
    """Look for garbage in cycles seldom, and never among what is there from the start.

    A page of trials makes a thousand records, none in a cycle: to look through them takes a quarter of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def run_api(site: Site, listening: socket.socket, ready: Callable[[], None]) -> int:
    """Answer requests until SIGTERM or Ctrl-C, finish those that have begun; the signal. ready: called at first."""
    traces = traces_wanted(os.environ)
    config = http_config(make_app(site, traces=traces), backlog=BACKLOG)
    _let_garbage_wait()
    server = _Server(config, ready)
    caught: list[int] = []

    def end(number: int, _frame: object) -> None:
        caught.append(number)
        server.handle_exit(number, None)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        server.run(sockets=[listening])
    finally:
        if traces is not None:
            traces.close()
    return caught[0] if caught else 0
