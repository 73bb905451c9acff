"""The coordinator as a process of its own: a worker pool, and the service that drives studies on it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

from hpo.coordinator.service import serve
from hpo.errors import StorageUnavailable
from hpo.storage.base import Storage
from hpo.storage.late import LateStorage
from hpo.workers.base import WorkerPool

log = logging.getLogger(__name__)

WAIT_S = 1.0  # between looks for a database that is away


def run_coordinator(url: str, pool: WorkerPool, kind: str, ready: Callable[[], None]) -> int:
    """Drive the studies of a database until SIGTERM or Ctrl-C, hand running cohorts back; the signal.

    pool: not yet started; it is closed at the end. kind: of pool, as others see it; ready: called
    when it has started. Raises PoolError, StorageVersion, SpecError.
    """
    stop = threading.Event()
    caught: list[int] = []

    def end(number: int, _frame: object) -> None:
        caught.append(number)
        stop.set()
        signal.signal(number, signal.SIG_DFL)  # the second one kills; workers end with this process

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    storage = _opened(LateStorage(url), stop)
    if storage is not None:
        try:
            serve(storage, cast(WorkerPool, _Announced(pool, ready)), stop, kind=kind)
        finally:
            storage.close()
    return caught[0] if caught else 0


class _Announced:
    """A pool that says when it has started."""

    def __init__(self, pool: WorkerPool, ready: Callable[[], None]) -> None:
        self._pool, self._ready = pool, ready

    def start(self) -> None:
        """Begin to start workers. Raises PoolError."""
        self._pool.start()
        self._ready()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


def _opened(late: LateStorage, stop: threading.Event) -> Storage | None:
    """The database, as soon as it is there; None when the end came first."""
    told = False
    while not stop.is_set():
        try:
            return late.open()
        except StorageUnavailable as error:
            if not told:
                log.warning("waiting for the database: %s", error.detail)
                told = True
            stop.wait(WAIT_S)
    return None
