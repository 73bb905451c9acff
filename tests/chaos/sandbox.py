"""Private namespaces in which a round breaks whatever it likes, and machines in them that a network connects.

`inside(command)` is the command to start in namespaces of its own: processes, network, mounts, host name. When it ends, or
whoever started it, however it ends, the kernel ends all that it has started. Within, `enter()` makes disks of memory and the network:

    lead  10.77.0.1   the program itself lives here, and so does all that no other machine is named for
    node1, node2, other, data: each with a network, an address and a host name of its own, on one switch

Who is not root becomes it in a user namespace, where the system allows that. `missing()` says what a machine lacks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

ROOT = Path("/mnt")  # there on every Linux; within the sandbox all of it is memory
DISKS = {"home": "96m", "data": "160m", "rest": "2g"}
ADDRESSES = {
    name: f"10.77.0.{place}" for place, name in enumerate(("lead", "node1", "node2", "other", "data"), 1)
}
SWITCH = "switch"
PROGRAMS = ("unshare", "ip", "setpriv", "mount")

TIED = ("setpriv", "--pdeathsig", "KILL")  # before a command: it dies with whoever started it
_UNSHARE = (
    "unshare",
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
if os.getuid() != 0:
    _UNSHARE += ("--user", "--map-root-user")
# The first process of a namespace inherits the orphans: a shell that waits takes those that have ended off the list.
_REAPER = ("bash", "-c", '"$@" & wait $!', "reaper")
_NAMED = ("unshare", "--uts", "bash", "-c", 'hostname "$0"; exec "$@"')


@cache
def missing() -> str | None:
    """Why there can be no sandbox here; None when there can."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"this machine has no program {program}"
    trial = ["ip", "link", "add", "name", "here", "type", "veth", "peer", "name", "there"]
    done = subprocess.run([*_UNSHARE, *_REAPER, *trial], capture_output=True, text=True)
    if done.returncode != 0:
        return f"namespaces are not allowed here: {done.stderr.strip()}"
    return None


def no_postgres() -> str | None:
    """Why there can be no PostgreSQL in the sandbox; None when there can."""
    if os.getuid() != 0:
        return "only root can start a server as the user postgres"
    return None if shutil.which("initdb") else "this machine has no PostgreSQL"


def inside(command: Sequence[str]) -> list[str]:
    """The command line that runs a command in a sandbox of its own."""
    return [*TIED, *_UNSHARE, *_REAPER, *command]


def enter() -> None:
    """Make the disks and the network, once, within the sandbox."""
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(ROOT))
    for disk, size in DISKS.items():
        (ROOT / disk).mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "none", str(ROOT / disk))
    _run("mount", "-t", "tmpfs", "-o", "mode=1777", "none", "/dev/shm")
    _run("mount", "-t", "tmpfs", "none", "/run")  # where `ip` keeps the names of networks
    _run("hostname", "lead")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", SWITCH, "type", "bridge")
    _run("ip", "link", "set", SWITCH, "up")
    for machine, address in ADDRESSES.items():
        within = () if machine == "lead" else ("-n", machine)
        if machine != "lead":
            _run("ip", "netns", "add", machine)
        place = () if machine == "lead" else ("netns", machine)
        _run("ip", "link", "add", _port(machine), "type", "veth", "peer", "name", "eth0", *place)
        _run("ip", "link", "set", _port(machine), "master", SWITCH, "up")
        _run("ip", *within, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", *within, "link", "set", device, "up")


def on(machine: str, command: Sequence[str]) -> list[str]:
    """The command line that runs a command on a machine; its process is the command itself."""
    if machine == "lead":
        return list(command)
    return ["ip", "netns", "exec", machine, *_NAMED, machine, *command]


def on_it(machine: str) -> int:
    """How many processes live on a machine."""
    if machine == "lead":
        return 1  # at least the one that asks
    told = subprocess.run(["ip", "netns", "pids", machine], capture_output=True, text=True, check=True)
    return len(told.stdout.split())


@contextmanager
def silent(machine: str) -> Iterator[None]:
    """Its cable leads nowhere: what is sent is lost, and nobody is told."""
    _run("ip", "link", "set", _port(machine), "nomaster")
    try:
        yield
    finally:
        _run("ip", "link", "set", _port(machine), "master", SWITCH)


@contextmanager
def unplugged(machine: str) -> Iterator[None]:
    """Its cable is pulled: both ends see that there is no carrier."""
    _run("ip", "link", "set", _port(machine), "down")
    try:
        yield
    finally:
        _run("ip", "link", "set", _port(machine), "up")


@contextmanager
def full(disk: str) -> Iterator[None]:
    """One of DISKS has no byte left."""
    filler = ROOT / disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            piece = 2**22
            while piece >= 2**12:  # what is freed meanwhile is left to whoever wants it
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), filler.stat().st_size, piece)
                piece //= 4
        yield
    finally:
        filler.unlink(missing_ok=True)


def _port(machine: str) -> str:
    return f"to-{machine}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
