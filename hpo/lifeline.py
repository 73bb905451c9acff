"""A process that ends with the one that started it, however that ends, and can tell it that it is ready."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading

VARIABLE = "HPO_LIFELINE"  # names the file descriptor of our end, in the environment of a child
READY = b"ready"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_held: list[socket.socket] = []


def hold() -> bool:
    """Hold the lifeline that the parent gave, if it gave one, and end at once when it is cut.

    Whatever this process starts does not inherit it.
    """
    given = os.environ.pop(VARIABLE, None)
    if given is None:
        return False
    line = socket.socket(fileno=int(given))
    line.set_inheritable(False)
    _held.append(line)
    die_with_parent()
    threading.Thread(target=_end_when_cut, args=(line,), name="lifeline", daemon=True).start()
    return True


def tell_ready() -> None:
    """Tell the parent, if there is a lifeline, that this process does its work now."""
    for line in _held:
        with contextlib.suppress(OSError):  # the parent has just gone, and the other thread knows
            line.send(READY)


def die_with_parent() -> None:
    """On Linux, have the kernel kill this process with the thread that started it, even if it is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans(wanted: bool) -> bool:
    """On Linux, become the parent of whoever a descendant leaves behind, or no longer; whether that can be."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0)


def _end_when_cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while line.recv(16):
            pass
    os._exit(1)
