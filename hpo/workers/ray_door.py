"""The door of a Ray cluster: who is let in, and with what hpo goes in. Known before Ray is asked."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import PoolError
from hpo.workers.ray_probe import Address, NotRay, address_of, lets_in
from hpo.workers.ray_token import MODE, TOKEN_PATH, Token, find_token

log = logging.getLogger(__name__)

WITH_TOKEN, DISABLED = "token", "disabled"
PAGE = "docs/howto/a-cluster.md"
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The door of a cluster. address: for Ray; head: None where only Ray finds out; open: everybody is let in"""

    address: str
    head: Address | None = None
    open: bool = False


def knock(address: str, environ: Mapping[str, str], *, timeout_s: float = _CONNECT_S) -> Door:
    """Look whether a cluster answers, and whether to anybody. Raises PoolError at once where Ray would try for minutes.

    address: as RAY_ADDRESS has it
    """
    if address.startswith("ray://"):
        raise PoolError("reports cannot stream through ray://; give the head's own address, as host:6379")
    if environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return Door(address=address)  # Ray speaks to it by certificates
    if address == "auto":
        return here(environ) or Door(address=address)
    head = address_of(address)
    if head is None:
        return Door(address=address)
    return Door(address=address, head=head, open=_asked(head, None, timeout_s))


def here(environ: Mapping[str, str]) -> Door | None:
    """The door of the cluster that `ray start` last wrote down on this machine; None when it does not answer."""
    folder = environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    with contextlib.suppress(OSError):
        written = (Path(folder) / "ray" / "ray_current_cluster").read_text(errors="replace").strip()
        if head := address_of(written):
            return Door(address=written, head=head, open=lets_in(head, None))
    return None


def way_in(door: Door, environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """What Ray's environment must say to go in: a token wherever one is asked for. Raises PoolError.

    A door that is open to everybody is warned of, unless RAY_AUTH_MODE=disabled says that this is known;
    RAY_AUTH_MODE=token goes through no such door.
    """
    mode = mode_of(environ)
    if door.head is None:
        token = _token(environ, home) if mode != DISABLED else None
        return _with_token(token) if token else {MODE: mode or DISABLED}
    if door.open:
        if mode == WITH_TOKEN:
            raise PoolError(f"{MODE}=token, but {open_text(door.head)}; {open_cure()}")
        if mode != DISABLED:
            log.warning("%s; %s", open_text(door.head), open_cure())
        return {MODE: DISABLED}
    if mode == DISABLED:
        raise PoolError(
            f"the Ray cluster at {door.head} asks for a token, and {MODE}=disabled shows none; leave it out"
        )
    token = _token(environ, home)
    if token is None:
        raise PoolError(
            f"the Ray cluster at {door.head} asks for a token, and there is none here; "
            "copy ~/.ray/auth_token of its head to the same place"
        )
    if not _asked(door.head, token.text, _CONNECT_S):
        raise PoolError(
            f"the Ray cluster at {door.head} refuses the token in {token.place}; "
            "copy ~/.ray/auth_token of its head here"
        )
    return _with_token(token)


def mode_of(environ: Mapping[str, str]) -> str | None:
    """What RAY_AUTH_MODE says; None where it says nothing. Raises PoolError for a word that Ray would ignore."""
    mode = environ.get(MODE, "").lower()
    if mode not in ("", WITH_TOKEN, DISABLED):
        raise PoolError(f"{MODE} must be token or disabled, got {mode!r}, which Ray takes for disabled")
    return mode or None


def open_text(head: Address) -> str:
    """What an open cluster means."""
    return f"the Ray cluster at {head} is OPEN: it asks for no token, so whoever reaches it can run any program there"


def open_cure() -> str:
    """What to do about an open cluster."""
    return f"start it again with {MODE}=token on every machine ({PAGE})"


def _asked(head: Address, token: str | None, timeout_s: float) -> bool:
    try:
        return lets_in(head, token, timeout_s)
    except NotRay as error:
        raise PoolError(
            f"what answers at {head} is not the head of a Ray cluster ({error}); its port is 6379 unless "
            "`ray start --head` was told another"
        ) from error
    except OSError as error:
        raise PoolError(f"no Ray answers at {head}: {error.strerror or error}") from error


def _token(environ: Mapping[str, str], home: Path) -> Token | None:
    try:
        return find_token(environ, home)
    except OSError as error:
        raise PoolError(f"the token for Ray in {error.filename} cannot be read: {error.strerror}") from error


def _with_token(token: Token) -> dict[str, str]:
    path = {} if token.file is None else {TOKEN_PATH: str(token.file)}
    return {MODE: WITH_TOKEN, **path}
