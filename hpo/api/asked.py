"""What the head of a request says, read once: by which name the server is called, from where, by what kind of client."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from hpo.errors import BadRequest, HeadersTooLarge

MAX_HEADERS, MAX_HEADER_BYTES = 100, 32 << 10

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Signs that somebody stands between the client and us.
_BETWEEN = (b"x-forwarded-", b"forwarded", b"via", b"x-real-ip")
# Headers of which two would let two readers of one request see two different things.
_ONCE = (b"host", b"origin", b"authorization", b"content-type", b"content-length")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request. headers: by name in small letters; of a repeated one the last."""

    headers: dict[bytes, bytes]
    forwarded: bool

    def text(self, name: bytes) -> str:
        """A header, empty where there is none."""
        return str(self.headers.get(name, b""), "latin-1").strip()

    @property
    def host(self) -> str:
        """What the server is called, in small letters, with the port where there is one."""
        return self.text(b"host").lower()

    @property
    def media_type(self) -> str:
        """Of the body, without parameters."""
        return self.text(b"content-type").partition(";")[0].strip().lower()

    @property
    def has_body(self) -> bool:
        """Whether a body comes, as far as the head tells."""
        return b"transfer-encoding" in self.headers or self.text(b"content-length") not in ("", "0")


def read_head(scope: Scope) -> Head:
    """The head of a request. Raises HeadersTooLarge, BadRequest."""
    raw = scope["headers"]
    if len(raw) > MAX_HEADERS or sum(len(name) + len(value) for name, value in raw) > MAX_HEADER_BYTES:
        raise HeadersTooLarge(
            f"a request has at most {MAX_HEADERS} headers of together {MAX_HEADER_BYTES:,} bytes"
        )
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        if name in headers and name in _ONCE:
            raise BadRequest(f"the header {name.decode('latin-1')} is there twice")
        headers[name] = value
    return Head(headers, any(name.startswith(_BETWEEN) for name in headers))


def name_of(host: str) -> str:
    """A host without its port.

    >>> name_of("localhost:8000"), name_of("[::1]:80"), name_of("box")
    ('localhost', '[::1]', 'box')
    """
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def is_address(name: str) -> bool:
    """Whether a host is an IP address rather than a name.

    >>> is_address("10.0.0.5"), is_address("[::1]"), is_address("10.0.0.5.evil.example")
    (True, True, False)
    """
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a page of that origin is the server's own. Schemes are left out: a proxy may end TLS.

    >>> is_own_origin("http://box:80", "box:80"), is_own_origin("http://box", "box:80"), is_own_origin("null", "null")
    (True, True, False)
    """
    scheme, mark, place = origin.lower().partition("://")
    if not mark or scheme not in ("http", "https"):
        return False
    port = ":80" if scheme == "http" else ":443"
    return place.removesuffix(port) == host.removesuffix(port)


def peer_of(scope: Scope) -> str:
    """The address at the other end of the connection."""
    client = scope.get("client")
    return str(client[0]) if client else "local"


def is_trusted(address: str, proxies: Sequence[Network]) -> bool:
    """Whether what the address says of others is believed."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in proxies)


def client_behind(head: Head, peer: str, proxies: Sequence[Network]) -> str:
    """Who asks, when proxies that are trusted say for whom: the last address that is none of theirs."""
    address = peer
    for word in reversed(head.text(b"x-forwarded-for").split(",")):
        if not is_trusted(address, proxies):
            break
        address = word.strip() or address
    return address
