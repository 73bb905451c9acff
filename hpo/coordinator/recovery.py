"""Who drives a study, whether that process still lives, and what to do with work that did not end."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from hpo.cohort import Cohort
from hpo.states import CohortState, Reason
from hpo.study import Driver
from hpo.trial import Trial

# The kernel's notion of when it booted moves with the clock, and with it the birth of a process.
BORN_TOLERANCE_S = 2.0
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


def this_process() -> Driver:
    """This process as the driver of one run; the token is new each time."""
    return Driver(
        host=this_host(),
        pid=os.getpid(),
        born=round(psutil.Process().create_time(), 2),
        token=secrets.token_hex(8),
    )


def this_host() -> str:
    """A name under which process numbers mean the same: the host, its boot and the container's processes.

    Two containers may share a host name, and a host name survives a reboot; process numbers do neither.
    """
    words = [_read(Path("/proc/sys/kernel/random/boot_id"))]
    try:
        words.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:  # not on Linux
        words.append("")
    return f"{socket.gethostname()}-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:8]}"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def is_alive(driver: Driver) -> bool | None:
    """Whether the process still runs; None when only its lease can tell: on another host, or stopped (Ctrl-Z)."""
    if driver.host != this_host():
        return None
    try:
        process = psutil.Process(driver.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if abs(process.create_time() - driver.born) > BORN_TOLERANCE_S:
            return False
        return None if process.status() in _STOPPED else True
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True, slots=True)
class TrainAgain:
    """The same numbers once more."""


@dataclass(frozen=True, slots=True)
class Halve:
    """The same numbers in two halves."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The trials end FAIL."""

    reason: Reason


def after_failure(reason: str, *, n_trials: int, losses: int, retries: int) -> TrainAgain | Halve | GiveUp:
    """What to do when a cohort did not end by itself.

    reason: of CohortFailed; n_trials: those without a result; losses: how often it was lost, this time
    included.

    >>> after_failure("lost", n_trials=32, losses=1, retries=2)
    TrainAgain()
    >>> after_failure("out_of_memory", n_trials=1, losses=0, retries=2)
    GiveUp(reason=<Reason.OUT_OF_MEMORY: 'out_of_memory'>)
    """
    if reason == Reason.OUT_OF_MEMORY:
        return Halve() if n_trials > 1 else GiveUp(Reason.OUT_OF_MEMORY)
    if reason in (Reason.LOST, Reason.CANCELLED):  # nobody asked to cancel: it was lost
        return TrainAgain() if losses <= retries else GiveUp(Reason.LOST)
    return GiveUp(Reason.ERROR)


def what_is_left(
    cohorts: Iterable[Cohort], unfinished: Iterable[Trial], *, stopping: bool
) -> list[tuple[Cohort, tuple[Trial, ...]]]:
    """The stored cohorts that a driver which takes over must train, each with its unfinished trials.

    A study that is stopping trains only cohorts that were running.
    """
    trials: Mapping[int, Trial] = {trial.number: trial for trial in unfinished}
    return [
        (cohort, tuple(trials[n] for n in cohort.numbers if n in trials))
        for cohort in cohorts
        if not stopping or cohort.state is CohortState.RUNNING
    ]
