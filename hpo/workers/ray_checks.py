"""Checks of a Ray cluster for a checkup: who is let in, from where it is reached, and to whom it reports."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psutil

from hpo.checkup import Check
from hpo.errors import PoolError
from hpo.workers.ray_door import Door, here, knock, mode_of, open_cure, open_text, way_in
from hpo.workers.ray_probe import Address, value_of
from hpo.workers.ray_token import TOKEN, find_token

DASHBOARD_PORT = 8265  # Ray's own choice
_ANSWER_S = 3.0
# Ray keeps the system of a head in its metadata only if that head reports its use.
_REPORTED = "session_start_timestamp_ms"
# Whoever makes a container decides who may read its secrets; one user lives there.
_CONTAINER_SECRETS = Path("/run/secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was learned of a cluster. token: what the head lets us in with; inside: whether it does"""

    head: Address
    inside: bool
    token: str | None

    def told(self, namespace: str, key: str) -> str:
        """What the head keeps under a key; "" also where it tells us nothing."""
        if not self.inside:
            return ""
        with contextlib.suppress(OSError):
            return value_of(self.head, self.token, namespace, key)
        return ""


def cluster_checks(environ: Mapping[str, str], home: Path) -> list[Check]:
    """Checks of the cluster that RAY_ADDRESS names, or else of the one that `ray start` has begun on this machine."""
    address = environ.get("RAY_ADDRESS")
    try:
        door = knock(address, environ, timeout_s=_ANSWER_S) if address else here(environ)
    except PoolError as error:
        cure = "start Ray there, or set RAY_ADDRESS to a cluster of yours"
        return [Check(name="cluster", ok=False, found=str(error), cure=cure)]
    if door is None:
        return [
            Check(name="cluster", ok=True, found="none: RAY_ADDRESS names none, and Ray was not started here")
        ]
    if door.head is None:
        return [Check(name="cluster", ok=True, found=f"Ray itself finds its way to {address}; not looked at")]
    cluster, found = _who_is_let_in(door, door.head, environ, home, named=bool(address))
    return [
        cluster,
        _token(environ, home),
        _reach(found.head),
        _dashboard(found),
        *_reports(found),
    ]


def _who_is_let_in(
    door: Door, head: Address, environ: Mapping[str, str], home: Path, *, named: bool
) -> tuple[Check, _Found]:
    """named: by RAY_ADDRESS, so that hpo would go in."""
    if door.open:
        check = Check(name="cluster", ok=False, found=open_text(head), cure=open_cure())
        return check, _Found(head=head, inside=True, token=None)
    asks = f"Ray at {head} asks for a token"
    try:
        way_in(door, environ, home)
        token = find_token(environ, home)
    except (PoolError, OSError) as error:
        check = Check(name="cluster", ok=not named, found=str(error) if named else asks)
        return check, _Found(head=head, inside=False, token=None)
    shown = f"{asks}, and takes the one in {token.place}" if token else asks
    text = token.text if token else None
    return Check(name="cluster", ok=True, found=shown), _Found(head=head, inside=True, token=text)


def _token(environ: Mapping[str, str], home: Path) -> Check:
    """Whether others can read the token."""
    try:
        mode_of(environ)
        token = find_token(environ, home)
    except (PoolError, OSError) as error:
        return Check(name="token", ok=False, found=str(error))
    if token is None:
        cure = "make one: `(umask 077; ray get-auth-token --generate > /dev/null)`"
        return Check(name="token", ok=True, found=f"none here; {cure}")
    if token.file is None:
        found = f"{TOKEN} holds the token, where every program started from here inherits it"
        cure = f"write it into ~/.ray/auth_token with mode 0600, and unset {TOKEN}"
        return Check(name="token", ok=False, found=found, cure=cure)
    status = token.file.stat()
    mode = stat.S_IMODE(status.st_mode)
    if token.file.is_relative_to(_CONTAINER_SECRETS):
        return Check(name="token", ok=True, found=f"{token.file} is a container's secret")
    if status.st_uid != os.getuid():
        found = f"{token.file} belongs to user {status.st_uid}, who can change it"
        return Check(name="token", ok=False, found=found, cure="keep a copy of your own")
    if mode & 0o077:
        found = f"{token.file} has mode {mode:04o}: others of this machine can get at the token"
        return Check(name="token", ok=False, found=found, cure=f"chmod 600 {token.file}")
    return Check(name="token", ok=True, found=f"{token.file} is for its owner alone")


def _reach(head: Address) -> Check:
    """Whether a head answers at an address of the whole internet."""
    public = [ip for ip in _addresses(head) if is_public(ip) and _answers(ip, head.port)]
    if public:
        found = f"Ray's head answers at {', '.join(public)}, an address of the whole internet"
        cure = "give the cluster a private network, or have a firewall keep strangers from all ports of its machines"
        return Check(name="reach", ok=False, found=found, cure=cure)
    return Check(name="reach", ok=True, found="no public address of Ray's head is known here")


def is_public(ip: str) -> bool:
    """Whether an address is reached from the whole internet, by itself.

    >>> [is_public(ip) for ip in ("8.8.8.8", "10.0.0.1", "100.64.0.1", "127.0.0.1", "::1", "fe80::1%eth0", "2606:4700::1")]
    [True, False, False, False, False, False, True]
    """
    return ipaddress.ip_address(ip).is_global


def _addresses(head: Address) -> list[str]:
    """Those of a head; of all this machine's if it is on this machine, since Ray listens on every one."""
    with contextlib.suppress(OSError):
        named = {str(info[4][0]) for info in socket.getaddrinfo(head.host, head.port)}
        own = {
            one.address
            for several in psutil.net_if_addrs().values()
            for one in several
            if one.family in (socket.AF_INET, socket.AF_INET6)
        }
        return sorted(named | own if named & own else named)
    return []


def _answers(ip: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((ip, port), timeout=_ANSWER_S):
        return True
    return False


def _dashboard(found: _Found) -> Check:
    """Whether Ray's dashboard answers, and whom."""
    for url in _dashboard_urls(found):
        mode = _mode_of_dashboard(url)
        if mode is not None:
            whom = "with the token" if mode == "token" else "WITHOUT a token"
            text = f"Ray's dashboard answers at {url} {whom}: its job API runs any command"
            return Check(
                name="dashboard", ok=False, found=text, cure="start the head with --include-dashboard=false"
            )
    return Check(name="dashboard", ok=True, found="no dashboard of Ray's answers")


def _dashboard_urls(found: _Found) -> Iterator[str]:
    _, _, port = found.told("dashboard", "webui:url").rpartition(":")
    ports = dict.fromkeys((int(port) if port.isdecimal() else DASHBOARD_PORT, DASHBOARD_PORT))
    hosts = [str(Address(host=found.head.host, port=port)) for port in ports]
    if "127.0.0.1" in _addresses(found.head):
        hosts += [f"127.0.0.1:{port}" for port in ports]  # where it listens unless told otherwise
    yield from (f"http://{host}" for host in dict.fromkeys(hosts))


def _mode_of_dashboard(url: str) -> str | None:
    """What it says of its mode of authentication; None where no dashboard of Ray's answers."""
    opener = build_opener(ProxyHandler({}))
    for path, key in (("api/authentication_mode", "authentication_mode"), ("api/version", "ray_version")):
        # An older one knows no mode, and asks nobody.
        with (
            contextlib.suppress(OSError, ValueError),
            opener.open(f"{url}/{path}", timeout=_ANSWER_S) as answer,
        ):
            said = json.loads(answer.read(1 << 16))
            if isinstance(said, dict) and key in said:
                return str(said[key])
    return None


def _reports(found: _Found) -> list[Check]:
    """Whether a head reports its use; nothing where it does not say."""
    told = found.told("cluster", "CLUSTER_METADATA")
    if not told:
        return []
    if _REPORTED in told:
        text = f"Ray at {found.head} reports its use to its makers"
        cure = "start its head again with RAY_USAGE_STATS_ENABLED=0"
        return [Check(name="reports", ok=False, found=text, cure=cure)]
    return [Check(name="reports", ok=True, found="Ray reports its use to nobody")]
