"""A child of this process that it has not forked itself but adopted."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil

_LOOK_S = (0.0005, 0.02)  # at first, and at most


class Adopted:
    """What a Popen says and does, of an adopted child. No other process gets its id before it was waited for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that killed it; None while it runs."""
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except (
                ChildProcessError
            ):  # not ours yet, or where SIGCHLD is ignored: nobody knows, and Popen says 0
                self.returncode = None if psutil.pid_exists(self.pid) else 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        look_s, most_s = _LOOK_S
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(look_s)
            look_s = min(2 * look_s, most_s)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)
