"""A line to another process that keeps nobody waiting: who is stopped in the middle of a message stops nobody else."""

from __future__ import annotations

import socket
import struct
from multiprocessing.connection import Connection

HEARING_S = 5  # for a message to be taken, or to be said to its end: longer than any that runs takes


def impatient(line: socket.socket) -> Connection:
    """Our end of a line, on which `send` and `recv` raise OSError when the other end does not go on with a message.

    Half a message may have gone by then: the line is of no use any more.
    """
    limit = struct.pack("ll", HEARING_S, 0)
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        line.setsockopt(socket.SOL_SOCKET, option, limit)
    return Connection(line.detach())
