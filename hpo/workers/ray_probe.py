"""Ask the head of a Ray cluster by one gRPC call over a plain socket: within seconds, and without Ray.

Ray itself tries for 20 s and writes a line a second. Of HTTP/2 and HPACK this knows what one call needs:
an answer is the first on its connection, so it names all of its headers in full.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from dataclasses import dataclass

PORT = 6379  # Ray's own choice
_ANSWER_S = 3.0
_MOST_BYTES = 1 << 20
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _END_STREAM, _END_HEADERS = 0, 1, 3, 4, 1, 4
_STATUS = re.compile(rb"\x0bgrpc-status[\x01\x02]([0-9]{1,2})")
_ALIVE = "ray.rpc.NodeInfoGcsService/CheckAlive"
_GET = "ray.rpc.InternalKVGcsService/InternalKVGet"
_OK, _PERMISSION_DENIED, _UNAUTHENTICATED = 0, 7, 16


class NotRay(OSError):
    """What answers there is not the head of a Ray cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a head listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(address: str) -> Address | None:
    """The head of an address as host:port; None for anything else.

    >>> str(address_of("10.0.0.1:6379")), str(address_of("[::1]:6379")), address_of("auto")
    ('10.0.0.1:6379', '[::1]:6379', None)
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        return None
    return Address(host=host.strip("[]"), port=int(port))


def lets_in(head: Address, token: str | None, timeout_s: float = _ANSWER_S) -> bool:
    """Whether a head answers to a token, or to none. Raises OSError when nothing answers, NotRay."""
    status, _ = _call(head, _ALIVE, b"", token, timeout_s)
    if status not in (_OK, _UNAUTHENTICATED, _PERMISSION_DENIED):
        raise NotRay(f"gRPC status {status}")
    return status == _OK


def value_of(head: Address, token: str | None, namespace: str, key: str) -> str:
    """What a head keeps under a key, "" for nothing. Raises OSError, NotRay."""
    wanted = _field(1, key.encode()) + _field(2, namespace.encode())
    _, message = _call(head, _GET, wanted, token, _ANSWER_S)
    # InternalKVGetReply: a status that is empty when all is well, then the value, which is text here.
    if message[:2] != b"\x0a\x00" or message[2:3] != b"\x12":
        return ""
    return message[4 if message[3] < 0x80 else 5 :].decode(errors="replace")


def _call(
    head: Address, method: str, message: bytes, token: str | None, timeout_s: float
) -> tuple[int, bytes]:
    """The gRPC status and message that answer a call."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/{method}",
        ":authority": str(head),
        "te": "trailers",
        "content-type": "application/grpc",
    }
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    body = b"\0" + struct.pack(">I", len(message)) + message
    deadline = time.monotonic() + timeout_s
    with socket.create_connection((head.host, head.port), timeout=timeout_s) as connection:
        connection.sendall(
            _GREETING
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, _END_HEADERS, 1, block)
            + _frame(_DATA, _END_STREAM, 1, body)
        )
        return _answer(connection, deadline)


def _answer(connection: socket.socket, deadline: float) -> tuple[int, bytes]:
    """Read frames until the stream ends. Raises OSError, NotRay."""
    told, message = b"", b""
    ended = False
    while not ended:
        head = _read(connection, 9, deadline)
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        if length + len(told) + len(message) > _MOST_BYTES:  # "HTT" of an HTTP/1 answer is 4.7 million
            raise NotRay("another protocol")
        body = _read(connection, length, deadline)
        if int.from_bytes(head[5:]) == 1:
            told += body if kind == _HEADERS else b""
            message += body if kind == _DATA else b""
            ended = kind == _RESET or (kind in (_HEADERS, _DATA) and bool(flags & _END_STREAM))
    status = _STATUS.search(told)
    if status is None:
        raise NotRay("no gRPC status")
    return int(status[1]), message[5:]


def _read(connection: socket.socket, n_bytes: int, deadline: float) -> bytes:
    """Exactly so many bytes. Raises OSError, NotRay."""
    found = b""
    while len(found) < n_bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer")
        connection.settimeout(left_s)
        more = connection.recv(n_bytes - len(found))
        if not more:
            raise NotRay("hung up")
        found += more
    return found


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _text(text: str) -> bytes:
    """A string of HPACK, not compressed."""
    raw = text.encode()
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, length = len(raw) - 127, b"\x7f"
    while rest >= 128:
        length, rest = length + bytes([rest % 128 + 128]), rest // 128
    return length + bytes([rest]) + raw


def _field(number: int, value: bytes) -> bytes:
    """A short field of a protocol buffer."""
    return bytes([number << 3 | 2, len(value)]) + value
