"""One process of a server as its supervisor sees it: started, started again, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from hpo import lifeline
from hpo.server import sockets

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
STEADY_S = 10.0  # a process that lived so long was well: the next pause is the first again


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a process is: its name, its command, what its environment has besides the parent's.

    listening: a socket that it inherits; on_demand: it is started when somebody knocks at that socket
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    listening: socket.socket | None = None
    on_demand: bool = False


class Child:
    """The process of a part, and after it the next one; `due_at` says when (time.monotonic), None: not by itself."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.process: subprocess.Popen[bytes] | None = None
        self.line: socket.socket | None = None  # our end of its lifeline
        self.ready = False
        self.due_at: float | None = None if part.on_demand else time.monotonic()
        self.false_starts = 0  # processes, one after another, that ended before they were ready
        self._failures = 0
        self._started_at = 0.0

    @property
    def lives(self) -> bool:
        """Whether a process of the part is there, as far as is known."""
        return self.process is not None

    def start(self) -> None:
        """Start the process. Raises OSError."""
        self.due_at, self.ready, self._started_at = None, False, time.monotonic()
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **self.part.environment, lifeline.VARIABLE: str(theirs.fileno())}
        descriptors = [theirs.fileno()]
        if self.part.listening is not None:
            environment[sockets.VARIABLE] = str(self.part.listening.fileno())
            descriptors.append(self.part.listening.fileno())
        with theirs:
            self.process = subprocess.Popen(
                self.part.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
                start_new_session=True,  # Ctrl-C reaches the whole terminal; the supervisor decides
            )
        ours.setblocking(False)
        self.line = ours

    def hear(self) -> bool:
        """Take what it says on its lifeline: whether it became ready just now."""
        if self.line is None:
            return False
        try:
            said = self.line.recv(64)
        except OSError:
            said = b""
        if not said:
            self._hang_up()
        became, self.ready = bool(said) and not self.ready, self.ready or bool(said)
        return became

    def reap(self) -> str | None:
        """How it ended, in words, if it has; then it is due again after a pause."""
        if self.process is None or self.process.poll() is None:
            return None
        code, pid = self.process.returncode, self.process.pid
        self.process = None
        self.false_starts = 0 if self.ready else self.false_starts + 1
        self._hang_up()
        self._plan(code)
        return f"process {pid} {_ending(code)}"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has just ended does not mind."""
        if self.process is not None:
            self.process.send_signal(number)

    @property
    def pause_s(self) -> float:
        """How long to wait before it is started again."""
        return min(FIRST_PAUSE_S * 2.0 ** max(0, self._failures - 1), LONGEST_PAUSE_S)

    def _plan(self, code: int) -> None:
        if time.monotonic() - self._started_at > STEADY_S:
            self._failures = 0
        if code == 0 and self.part.on_demand:  # nobody had come for long
            self._failures = 0
            return
        self._failures += 1
        self.due_at = time.monotonic() + self.pause_s

    def _hang_up(self) -> None:
        if self.line is not None:
            self.line.close()
            self.line = None


def _ending(code: int) -> str:
    """An exit code in words.

    >>> _ending(-9), _ending(1)
    ('was ended by SIGKILL', 'ended with exit code 1')
    """
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"was ended by {names.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}"
