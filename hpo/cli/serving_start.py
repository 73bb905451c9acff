"""What every way to serve begins with: an address, a database that is there, a pool; and what its end means."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo import lifeline
from hpo.cli import session
from hpo.cli.entry import INTERRUPTED
from hpo.cli.output import Format, plural, say, write_record
from hpo.cli.running import PoolChoice
from hpo.errors import PoolError, SpecError, StorageUnavailable
from hpo.settings import Settings

if TYPE_CHECKING:
    from hpo.server.plan import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve. child: whether a supervisor has started this process as one of its parts."""

    host: str
    port: int
    pool: PoolChoice
    workers: int | None
    format: Format
    quiet: bool
    child: bool


def listen(settings: Settings, options: ServeOptions) -> tuple[Place, bool]:
    """Where to listen, and whether API keys are asked for there. Raises SpecError, CannotListen."""
    from hpo.server import plan, sockets
    from hpo.service.exposure import decide_auth

    auth = decide_auth(settings, options.host)
    listening = sockets.inherited() or sockets.listen(options.host, options.port)
    port = listening.getsockname()[1]
    return plan.Place(host=options.host, port=port, listening=listening), auth


def url_of(place: Place) -> str:
    """Where a person reaches it."""
    from hpo.server import sockets

    return sockets.url_of(place.listening, place.host)


def elsewhere_of(settings: Settings, place: Place) -> str | None:
    """Where other machines reach a server that listens on every address; None for any other."""
    from hpo.server import sockets

    if place.host not in sockets.EVERYWHERE:
        return None
    names = settings.allowed_hosts or (socket.gethostname(),)
    reached = ", ".join(f"http://{name}:{place.port}" for name in names)
    return reached if settings.allowed_hosts else f"{reached}, or any address of this machine"


def look_at_database(settings: Settings) -> None:
    """Make or upgrade the database once, before several processes use it. One that is away is waited for.

    Raises SpecError, StorageVersion, and StorageUnavailable for a file that cannot be used.
    """
    from hpo.storage.open import open_storage

    if settings.storage.startswith("memory:"):
        raise SpecError("a server's processes cannot share memory://; name a database", field="HPO_STORAGE")
    session.make_home(settings)
    try:
        open_storage(settings.storage).close()
    except StorageUnavailable as error:
        if settings.storage.startswith("sqlite"):
            raise
        say(f"waiting for the database: {error.detail}")


def look_at_cluster(settings: Settings, options: ServeOptions) -> dict[str, str]:
    """See that a Ray cluster asks for a token where others reach the server; what the coordinator is told of it.

    One that is away is waited for, and may come back as an open one: so the coordinator is told to join none that is.
    Raises SpecError for an open one, unless RAY_AUTH_MODE=disabled says that this is meant.
    """
    from hpo.service.exposure import is_loopback
    from hpo.workers.ray_door import DISABLED, WITH_TOKEN, knock, mode_of, open_cure, open_text
    from hpo.workers.ray_token import MODE

    named = pool_kind(settings, options) is PoolChoice.RAY and settings.ray_address
    if not named or is_loopback(options.host) or mode_of(os.environ) == DISABLED:
        return {}
    try:
        door = knock(named, os.environ)
    except PoolError:
        return {MODE: WITH_TOKEN}  # the coordinator says so, and tries again
    if door.open and door.head:
        raise SpecError(
            f"{open_text(door.head)}; {open_cure()}, serve on 127.0.0.1, or set RAY_AUTH_MODE=disabled to serve it so",
            field="RAY_ADDRESS",
        )
    # Through any other door Ray itself goes, by certificates for one.
    return {MODE: WITH_TOKEN} if door.head else {}


def place_of(settings: Settings) -> str:
    """The database, without its password."""
    from hpo.service.database import without_password

    return without_password(settings.storage)


def pool_kind(settings: Settings, options: ServeOptions) -> PoolChoice:
    """The kind of pool that is meant."""
    if options.pool is not PoolChoice.AUTO:
        return options.pool
    return PoolChoice.RAY if settings.ray_address else PoolChoice.LOCAL


def pool_text(settings: Settings, options: ServeOptions) -> str:
    """Where studies train, in words."""
    kind = pool_kind(settings, options)
    where = f" at {settings.ray_address}" if kind is PoolChoice.RAY and settings.ray_address else ""
    count = (
        "one worker for each core or GPU" if options.workers is None else plural(options.workers, "worker")
    )
    return f"{kind}{where}, {count}"


def say_pool_starts(settings: Settings, options: ServeOptions) -> None:
    """What takes long before a server is ready."""
    if pool_kind(settings, options) is PoolChoice.RAY:
        what = "connecting with" if settings.ray_address else "starting"
        say(f"{what} Ray, which may take half a minute …", quiet=options.quiet)


def exit_code(number: int) -> int:
    """Ended by Ctrl-C is interrupted; ended by SIGTERM, or a closed terminal, is well."""
    return INTERRUPTED if number == signal.SIGINT else 0


def tell_ready(found: Mapping[str, Any], options: ServeOptions) -> None:
    """Tell whoever waits that the work begins: a supervisor, a service manager, a reader of the line.

    found: what `-f json` prints, `url` in it where there is one
    """
    from hpo.server import notify

    if options.child:
        lifeline.tell_ready()
        return
    where = f" at {found['url']}" if found.get("url") else ""
    write_record(found, options.format, f"hpo is ready{where}")
    sys.stdout.flush()
    notify.notify(notify.READY)
