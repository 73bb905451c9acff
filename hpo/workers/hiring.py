"""How the worker processes of a pool begin: forked from a warm nursery, or each by itself where that is not safe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar, Protocol

from hpo.lifeline import adopt_orphans
from hpo.lines import impatient
from hpo.workers.child_process import ChildProcess, end, worker_environment
from hpo.workers.devices import visible_gpus

NURSERY = "hpo.workers.nursery"
CHILD = "hpo.workers.child"
# A nursery takes no order before it has imported torch, and hundreds wait in its socket; one that has stopped must
# not stop the pool.
ORDER_S = 30.0


class Hiring(Protocol):
    """A way in which worker processes begin."""

    def hire(self, *, device: str, log: Path) -> ChildProcess:
        """A new worker, which is not ready yet. Raises OSError.

        device: cpu, or cuda:N; of the GPUs the process sees only that one, as cuda:0
        """

    def close(self, hired: Sequence[ChildProcess]) -> None:
        """End all that were hired and still live, and hire no more."""


def way_of_hiring(log: Path) -> Hiring:
    """The quickest way that is safe on this system. log: of whatever starts the workers."""
    return Nursery(log) if adopt_orphans(True) else Spawning()


class Spawning:
    """Each worker imports torch for itself: elsewhere than on Linux no process may be forked once it has."""

    def hire(self, *, device: str, log: Path) -> ChildProcess:
        """A new worker."""
        ours, theirs = socket.socketpair()
        inside, gpus = _seen(device)
        words = [str(theirs.fileno()), inside]
        with ours, theirs, log.open("ab") as file:
            process = _start(CHILD, words, theirs, file, {"CUDA_VISIBLE_DEVICES": gpus})
            return ChildProcess(impatient(ours), process, log)

    def close(self, hired: Sequence[ChildProcess]) -> None:
        """End the workers."""
        end(hired)


class Nursery:
    """The pool's end of a process of `hpo.workers.nursery`, begun with the first worker and anew when it has died.

    As long as there is a nursery, this process adopts orphans: the workers are to be its own children.
    """

    _open: ClassVar[set[Nursery]] = set()
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._adopt(self._open.add)

    def hire(self, *, device: str, log: Path) -> ChildProcess:
        """A new worker."""
        ours, theirs = socket.socketpair()
        order = json.dumps(_seen(device)).encode()
        with ours, theirs, log.open("ab") as file:
            nursery = self._order(order, [theirs.fileno(), file.fileno()])
            return ChildProcess(impatient(ours), nursery, self._log, own_log=log)

    def close(self, hired: Sequence[ChildProcess]) -> None:
        """End the nursery, then the workers: those that it was about to fork are known by then."""
        self._end()
        end(hired)
        self._adopt(self._open.discard)

    def _adopt(self, count: Callable[[Nursery], None]) -> None:
        with self._opening:
            count(self)
            adopt_orphans(bool(self._open))

    def _order(self, order: bytes, files: Sequence[int]) -> subprocess.Popen[bytes]:
        """Order a worker, of a new nursery if the old one has died; the nursery."""
        process, line = self._process, self._line
        if process is not None and line is not None and process.poll() is None:
            with contextlib.suppress(OSError):  # it has died just now
                socket.send_fds(line, [order], files)
                return process
        self._end()
        process, line = self._begin()
        socket.send_fds(line, [order], files)
        return process

    def _begin(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._log.open("ab") as file:
            self._line = ours
            self._process = _start(NURSERY, [str(theirs.fileno())], theirs, file, {})
        ours.settimeout(ORDER_S)
        return self._process, ours

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._line = None


def _start(
    module: str, words: Sequence[str], theirs: socket.socket, log: IO[bytes], more: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    # A process that has not come so far as to ignore Ctrl-C inherits the blocked signal instead.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
            env={**os.environ, **worker_environment(), **more},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _seen(device: str) -> tuple[str, str]:
    """What a worker calls its device, and the GPUs that it sees."""
    gpus = visible_gpus(os.environ) if device != "cpu" else []
    one = gpus[int(device.removeprefix("cuda:"))] if gpus else ""
    return "cpu" if device == "cpu" else "cuda:0", one
