"""Who drives a study: this process by name, and whether another still lives."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path

import psutil

from hpo.study import Driver

BORN_TOLERANCE_S = 2.0
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


def this_process() -> Driver:
    """This process as the driver of one run; the token is new each time."""
    return Driver(
        host=this_host(),
        pid=os.getpid(),
        born=round(_born(psutil.Process()), 2),
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


def _born(process: psutil.Process) -> float:
    """When it began: on Linux seconds since the boot, for a time of day moves when somebody sets the clock.

    Raises psutil.NoSuchProcess. See proc_pid_stat(5): the 22nd word, after a name that may have spaces in it.
    """
    if words := _read(Path(f"/proc/{process.pid}/stat")):
        return int(words.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(process.create_time())


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
        if abs(_born(process) - driver.born) > BORN_TOLERANCE_S:
            return False
        return None if process.status() in _STOPPED else True
    except psutil.NoSuchProcess:
        return False
