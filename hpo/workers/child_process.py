"""A worker process as its pool sees it: started, spoken to, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import hpo
from hpo.workers.child import ENVIRONMENT
from hpo.workers.devices import visible_gpus
from hpo.workers.messages import FromWorker, ToWorker

MODULE = "hpo.workers.child"
_LOG_TAIL = 3  # lines
_PATIENCE_S = 3.0  # for each of: leave by yourself, terminate


class ChildProcess:
    """One process of `hpo.workers.child`. It starts to import torch at once. Raises OSError.

    device: cpu, or cuda:N; of the GPUs the process sees only that one, as cuda:0
    """

    def __init__(self, *, device: str, log: Path) -> None:
        self.log = log
        ours, theirs = socket.socketpair()
        inside = device if device == "cpu" else "cuda:0"
        command = [sys.executable, "-P", "-m", MODULE, str(theirs.fileno()), inside]
        # A child that has not come so far as to ignore Ctrl-C inherits the blocked signal instead.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with ours, theirs, log.open("ab") as file:
                self._process = subprocess.Popen(
                    command,
                    env=_environment(device),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    pass_fds=[theirs.fileno()],
                )
                self.connection = Connection(ours.detach())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: ToWorker) -> None:
        """Say something; a process that has died does not hear it, and `receive` will tell."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def receive(self) -> list[FromWorker] | None:
        """Everything it has said by now; None once it has died and all it said was heard."""
        messages: list[FromWorker] = []
        try:
            while self.connection.poll(0):
                messages.append(self.connection.recv())
        except (EOFError, OSError):
            return messages or None
        return messages

    def kill(self) -> None:
        """End it at once; `receive` will tell."""
        self._process.kill()

    @property
    def ended(self) -> bool:
        """Whether it is known to have ended."""
        return self._process.returncode is not None

    def obituary(self) -> str:
        """Who it was and how it ended. Call it after the process has died."""
        end([self])
        return f"worker process {self.pid} {_cause(self._process.returncode)}"

    def last_words(self) -> str:
        """The end of its log, in one line."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return " / ".join(line.strip() for line in lines[-_LOG_TAIL:]) or "its log is empty"


def end(processes: Sequence[ChildProcess]) -> None:
    """End processes: hang up, which they obey at once; then terminate, then kill. None is left."""
    for process in processes:
        process.connection.close()
    left = _wait([process._process for process in processes], _PATIENCE_S)
    for popen in left:
        popen.terminate()
    left = _wait(left, _PATIENCE_S)
    for popen in left:
        popen.kill()
    _wait(left, None)


def _wait(
    processes: list[subprocess.Popen[bytes]], patience_s: float | None
) -> list[subprocess.Popen[bytes]]:
    """Those that still run after so long."""
    deadline = None if patience_s is None else time.monotonic() + patience_s
    left = []
    for process in processes:
        try:
            process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            left.append(process)
    return left


def worker_environment() -> dict[str, str]:
    """What every worker has in its environment before Python starts."""
    env = dict(ENVIRONMENT)
    root = Path(hpo.__file__).parent.parent
    if "site-packages" not in root.parts:  # a checkout: the worker has to find it as well
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(root)]))
    return env


def _environment(device: str) -> dict[str, str]:
    gpus = visible_gpus(os.environ) if device != "cpu" else []
    seen = gpus[int(device.removeprefix("cuda:"))] if gpus else ""
    return {**os.environ, **worker_environment(), "CUDA_VISIBLE_DEVICES": seen}


def _cause(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL, often the system's answer to too little memory"
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}"
