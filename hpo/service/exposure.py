"""Where a server may be reached from, and so whether it asks for keys and what it may be called."""

from __future__ import annotations

import ipaddress

from hpo.errors import SpecError
from hpo.settings import OFF, REQUIRED, Settings

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("[::1]"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"  # of any other name nobody knows what it is tomorrow


def decide_auth(settings: Settings, host: str) -> bool:
    """Whether a server on an address asks for API keys. Raises SpecError when it must not start.

    Off and on a foreign address is refused without exception: an open server lets anybody who reaches it
    train, read and remove everything. Whoever wants one puts it on loopback.
    """
    if settings.auth == REQUIRED:
        return True
    if is_loopback(host):
        return False
    if settings.auth == OFF:
        raise SpecError(
            f"off is for a server that only this machine reaches, and others may reach {host}; leave it out and "
            "make keys with `hpo keys create`, or serve on 127.0.0.1",
            field="HPO_AUTH",
        )
    return True


def hosts_of(settings: Settings, host: str, *, auth: bool) -> tuple[str, ...]:
    """What a server may be called, in small letters and without ports; () is anything.

    One that asks for keys may be called anything unless HPO_ALLOWED_HOSTS names its names: a page that
    makes a browser call it by a name of its own has no key to show.
    """
    named = tuple(name.lower() for name in settings.allowed_hosts)
    if auth and not named:
        return ()
    own = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return tuple(dict.fromkeys((*LOOPBACK, own.lower(), *named)))
