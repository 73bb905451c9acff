"""A worker process as its pool sees it: spoken to, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import hpo
from hpo.workers.adopted import Adopted
from hpo.workers.child import ENVIRONMENT
from hpo.workers.messages import Born, FromWorker, ToWorker

_LOG_TAIL = 3  # lines
_PATIENCE_S = 3.0  # for each of: leave by yourself, terminate
_DEATH_S = 0.5  # from when the system closes what a process had open until it can be waited for

Process = subprocess.Popen[bytes] | Adopted


class ChildProcess:
    """One worker process, a child of this one.

    own_log: of a worker that is still to be forked; until it says that it was, process and log are its nursery's
    """

    def __init__(
        self,
        connection: Connection,
        process: Process,
        log: Path,
        *,
        own_log: Path | None = None,
    ) -> None:
        self.connection, self._process, self._log, self._own_log = connection, process, log, own_log

    @property
    def _born(self) -> bool:
        return self._own_log is None

    def send(self, message: ToWorker) -> None:
        """Say something; a process that has died, or does not listen, does not hear it, and `receive` will tell."""
        try:
            self.connection.send(message)
        except OSError:  # half a message may be on its way: it is of no use any more
            self._end_at_once()

    def receive(self) -> list[FromWorker] | None:
        """Everything it has said by now; None once it has died and all it said was heard."""
        messages: list[FromWorker] = []
        try:
            while self.connection.poll(0):
                message = self.connection.recv()
                if isinstance(message, Born):
                    self._be_born(message.pid)
                else:
                    messages.append(message)
        except EOFError:
            return messages or None
        except OSError:  # it stopped in the middle of a message
            self._end_at_once()
            return messages or None
        return messages

    def _end_at_once(self) -> None:
        if self._born:
            self._process.kill()

    def _be_born(self, pid: int) -> None:
        self._process = Adopted(pid)
        self._log, self._own_log = self._own_log or self._log, None

    def kill(self) -> None:
        """End it at once, or the nursery that does not bring it forth; `receive` will tell."""
        self._process.kill()

    @property
    def ended(self) -> bool:
        """Whether it is known to have ended."""
        return self._process.returncode is not None

    def obituary(self) -> str:
        """Who it was and how it ended. Call it after the process has died."""
        if self._born:
            end([self])
            return f"worker process {self._process.pid} {_cause(self._process.returncode)}"
        self.connection.close()
        if _wait([self._process], _DEATH_S):
            return "a worker process ended while it was forked"
        return f"process {self._process.pid}, which forks workers, {_cause(self._process.returncode)}"

    def last_words(self) -> str:
        """The end of its log, in one line."""
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        return " / ".join(line.strip() for line in lines[-_LOG_TAIL:]) or "its log is empty"

    def settle(self) -> None:
        """Learn, once its nursery has ended, whether it was forked before."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._born and not self.connection.closed:
            if not self.connection.poll(max(0.0, deadline - time.monotonic())) or self.receive() is None:
                return


def end(processes: Sequence[ChildProcess]) -> None:
    """End processes: hang up, which they obey at once; then terminate, then kill. None is left."""
    for process in processes:
        process.settle()
        process.connection.close()
    left = _wait([process._process for process in processes], _PATIENCE_S)
    for each in left:
        each.terminate()
    left = _wait(left, _PATIENCE_S)
    for each in left:
        each.kill()
    _wait(left, None)


def _wait(processes: Sequence[Process], patience_s: float | None) -> list[Process]:
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


def _cause(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL, often the system's answer to too little memory"
    if code is not None and code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}"
