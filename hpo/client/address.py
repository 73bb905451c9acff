"""What a server's address must be, and over which addresses an API key may travel."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from hpo.errors import SpecError

FIELD = "HPO_SERVER"
KEY_FIELD = "HPO_API_KEY"
PREFIX = "/api/v1"
EXAMPLE = "http://localhost:8000"


def address_of(text: str, *, field: str = FIELD) -> str:
    """A server's address without the slash at its end or the API's prefix. Raises SpecError.

    field: where it was said

    >>> address_of("http://localhost:8000/"), address_of("https://hpo.example.org/api/v1")
    ('http://localhost:8000', 'https://hpo.example.org')
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise SpecError(f"{text!r} is no address: {error}", field=field) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise SpecError(f"must be an address such as {EXAMPLE}, got {text!r}", field=field)
    if parts.username is not None or parts.password is not None:
        raise SpecError(f"must hold no password; give an API key in {KEY_FIELD}", field=field)
    if parts.query or parts.fragment:
        raise SpecError(f"must end before ? or #, got {text!r}", field=field)
    path = parts.path.rstrip("/").removesuffix(PREFIX)
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, which nobody else can listen to.

    >>> is_loopback("http://127.0.0.1:8000"), is_loopback("http://[::1]"), is_loopback("http://10.0.0.7")
    (True, True, False)
    """
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_key(address: str, key: str | None, *, insecure: bool, field: str = FIELD) -> None:
    """Raises SpecError for what can be no key, and for one that would travel over the network in clear."""
    if key is None:
        return
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SpecError("holds characters that no API key has; copy it anew", field=KEY_FIELD)
    if address.startswith("https:") or is_loopback(address) or insecure:
        return
    raise SpecError(
        f"{address} is plain http on another machine, where anybody on the way could read the API key; use https, or "
        "set HPO_INSECURE=1 on a network that you trust",
        field=field,
    )
