"""A program of a round: started on its machine, started again when it is gone, ended; and the processes that there are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import psutil

from tests.chaos import sandbox

CHECKOUT = Path(__file__).parents[2]
HPO = (sys.executable, "-m", "hpo.cli.main")
FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
END_S = 30.0
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)  # as no blow ends a program
WORKER, NURSERY = "hpo-worker", "hpo-nursery"  # of a local pool: what trains, and what that is forked from
ACTOR = "ray::RayWorker"  # of a Ray pool; Ray's agents have titles that begin with ray::, too

_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")


def faketime() -> str | None:
    """The library that gives a process another clock, as Debian installs it; None where it is missing."""
    return next((path for path in FAKETIME if Path(path).exists()), None)


class Clock:
    """The clock of a machine, which processes read as often as they want the time. Monotonic time goes on."""

    def __init__(self, machine: str) -> None:
        self._file = sandbox.ROOT / "rest" / f"clock-{machine}"
        self._ahead_s = 0
        self.step(0)

    def step(self, seconds: int) -> None:
        """Put it so much forward."""
        self._ahead_s += seconds
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead_s:+d}\n")
        new.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What a process must have in its environment to live by it."""
        return {
            "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(Path(__file__).parent / "clock"))),
            "LD_PRELOAD": faketime() or "",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


class Program:
    """A program that is there as long as `command` has something to say, whatever happens to its process.

    command: its words now, None once there is nothing more to do; ours: it is hpo, so how it ends matters; ends_by: the
    signal that asks it to end
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str] | None],
        log: Path,
        *,
        machine: str = "lead",
        environment: Mapping[str, str],
        ours: bool = True,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.machine, self.ours, self._ends_by = name, machine, ours, ends_by
        self._command, self._log = command, log
        self._environment = {key: os.environ[key] for key in _KEPT if key in os.environ} | dict(environment)
        self.process: subprocess.Popen[bytes] | None = None
        self.crashes: list[str] = []

    @property
    def lives(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def keep(self) -> None:
        """Start it, unless it is there."""
        if self.lives or (words := self._command()) is None:
            return
        if self.ours and self.process is not None and self.process.returncode in CRASHES:
            self.crashes.append(f"{self.name} crashed with {self.process.returncode}")
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                sandbox.on(self.machine, words),
                env=self._environment,
                cwd=sandbox.ROOT / "rest",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def end(self) -> list[str]:
        """Ask it to, unless it is about to end by itself; what is wrong with how it ends."""
        if self.process is None or not self.lives:
            return []
        if self._command() is not None:
            self.process.send_signal(self._ends_by)
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return [f"{self.name} does not end"]
        ended_well = code in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
        return [] if ended_well or not self.ours else [f"{self.name} ends with {code}"]


def _is_worker(process: psutil.Process, line: str) -> bool:
    return process.name() == WORKER or line.startswith(ACTOR)


# What a part is called -> whether a process, with its command line, is one.
PARTS: dict[str, Callable[[psutil.Process, str], bool]] = {
    "worker": _is_worker,
    "workers": _is_worker,
    "coordinator": lambda _, line: (
        any(f"hpo.cli.main {w}" in line for w in ("run", "resume")) or "--only coordinator" in line
    ),
    "nursery": lambda process, _: process.name() == NURSERY,
    "api": lambda _, line: "--only api" in line,
    "supervisor": lambda _, line: "hpo.cli.main serve" in line and "--only" not in line,
    "node": lambda process, _: process.name() == "raylet",
    "head": lambda process, _: process.name() == "gcs_server",
    "database": lambda process, _: process.name() == "postgres",
}
TOGETHER = ("workers", "database")  # parts of which all processes are meant, not one


def living(but: Collection[str] = ()) -> list[psutil.Process]:
    """All processes of the sandbox that live, but this one, the first, and those of some names."""
    found = []
    for process in psutil.process_iter():
        try:
            left_out = process.pid in (1, os.getpid()) or process.name() in but
            if not left_out and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # it has ended meanwhile
            continue
    return found


def told(process: psutil.Process) -> str:
    """The first words of its command line; empty if it has ended meanwhile."""
    try:
        return " ".join(process.cmdline()[:6])
    except psutil.Error:
        return ""


def of_part(part: str) -> list[psutil.Process]:
    """The processes that a word means now."""
    found = []
    for process in living():
        try:
            if PARTS[part](process, " ".join(process.cmdline())):
                found.append(process)
        except psutil.Error:
            continue
    return found
