"""Sockets that a server listens on: bound once by the parent, handed to whichever child serves now."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import tempfile
from pathlib import Path

from hpo.errors import CannotListen
from hpo.settings import UNIX

VARIABLE = "HPO_LISTEN_FD"  # names the file descriptor of a socket that the parent bound
BACKLOG = 1024
# Hosts that mean every address of this machine -> the one by which it reaches itself.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}
_LONGEST_PATH = 100  # of a socket in the file system; the kernel allows 107


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address of this machine; port 0: a free one. Raises CannotListen.

    Made with the protocol TCP by name: asyncio turns Nagle's algorithm off for such sockets only,
    and with it on every request takes 40 ms.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise CannotListen(
            f"no host is called {host!r}; 0.0.0.0 means every address", field="--host"
        ) from None
    listening = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _refused(error, host, port) from None
    return listening


def _refused(error: OSError, host: str, port: int) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen(
            f"port {port} of {host} is taken by another program; choose another one, or 0 for any that is free",
            field="--port",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return CannotListen(
            f"{host} is no address of this machine; 0.0.0.0 means all of them", field="--host"
        )
    if error.errno == errno.EACCES:
        return CannotListen(
            f"port {port} needs rights that you lack; choose one from 1024 on", field="--port"
        )
    return CannotListen(f"{host} port {port} cannot be listened on: {error.strerror}", field="--port")


def listen_privately(folder: Path | None = None) -> tuple[socket.socket, str]:
    """A socket that only this user's processes reach, and its address, `unix:PATH`. Raises CannotListen."""
    parent = str(folder) if folder is not None else tempfile.gettempdir()
    if len(parent) > _LONGEST_PATH // 2:
        parent = "/tmp"
    try:
        path = Path(tempfile.mkdtemp(prefix="hpo-", dir=parent)) / "dashboard"  # of mode 0700
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except OSError as error:
        raise CannotListen(f"no socket can be made in {parent}: {error.strerror}") from None
    return listening, f"{UNIX}{path}"


def remove_private(address: str) -> None:
    """Remove what `listen_privately` has made in the file system."""
    path = Path(address.removeprefix(UNIX))
    with contextlib.suppress(FileNotFoundError):  # machines clear their folders of temporary files
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def inherited() -> socket.socket | None:
    """The socket that the parent has bound for this process, or None."""
    given = os.environ.pop(VARIABLE, None)
    if given is None:
        return None
    listening = socket.socket(fileno=int(given))
    listening.set_inheritable(False)
    return listening


def url_of(listening: socket.socket, host: str) -> str:
    """Where a person reaches a TCP socket: an address for all is shown as this machine's own.

    >>> with listen("0.0.0.0", 0) as listening:
    ...     url_of(listening, "0.0.0.0").rpartition(":")[0]
    'http://127.0.0.1'
    """
    port = listening.getsockname()[1]
    name = EVERYWHERE.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name and not name.startswith("[") else f"http://{name}:{port}"
