"""The parts of a server, each alone in this process: API, coordinator, Optuna dashboard."""

from __future__ import annotations

import socket

from hpo.cli import session
from hpo.cli.entry import INTERRUPTED
from hpo.cli.output import pairs, say
from hpo.cli.running import POOLS
from hpo.cli.serving_start import (
    ServeOptions,
    elsewhere_of,
    exit_code,
    listen,
    look_at_database,
    place_of,
    pool_kind,
    pool_text,
    say_pool_starts,
    tell_ready,
    url_of,
)
from hpo.errors import DashboardMissing, SpecError
from hpo.settings import Settings


def api(settings: Settings, options: ServeOptions) -> int:
    """The API alone; as many such processes as one likes."""
    from hpo.api.site import Site
    from hpo.server.api import run_api
    from hpo.service.exposure import hosts_of
    from hpo.storage.late import open_late

    place, auth = listen(settings, options)
    with place.listening:
        if not options.child:
            look_at_database(settings)
            elsewhere = elsewhere_of(settings, place)
            others = f"; other machines reach it at {elsewhere}" if elsewhere else ""
            say(f"the API of hpo listens at {url_of(place)}{others}", quiet=options.quiet)
        storage = open_late(settings.storage)
        site = Site(
            settings=settings,
            storage=storage,
            auth=auth,
            hosts=hosts_of(settings, options.host, auth=auth),
            dashboard=settings.dashboard,
        )
        found = {"url": url_of(place), "auth": auth, "database": place_of(settings)}
        try:
            number = run_api(site, place.listening, lambda: tell_ready(found, options))
        finally:
            storage.close()
    return exit_code(number)


def coordinator(settings: Settings, options: ServeOptions) -> int:
    """The coordinator alone."""
    from hpo.server.coordinator import run_coordinator

    if not options.child:
        look_at_database(settings)
        lines = pairs({"pool": pool_text(settings, options), "database": place_of(settings)}, indent=2)
        say(f"the coordinator of hpo runs what comes in\n{lines}", quiet=options.quiet)
        say_pool_starts(settings, options)
    kind = pool_kind(settings, options)
    session.make_home(settings)
    pool = POOLS[kind](settings, options.workers)
    found = {"pool": pool_text(settings, options), "database": place_of(settings)}
    number = run_coordinator(settings.storage, pool, kind.value, lambda: tell_ready(found, options))
    return exit_code(number)


def dashboard(settings: Settings, options: ServeOptions) -> int:
    """The Optuna dashboard alone. It asks nobody for a key, so it listens on this machine only."""
    from hpo.server import plan, sockets
    from hpo.storage.open import address_of

    if not plan.has_dashboard():
        raise DashboardMissing()
    address = address_of(settings.storage)
    # Under a supervisor it is started for a visitor, and ends when none has come for long.
    listening = sockets.inherited() or _own_socket(settings, options)
    from hpo.server.dashboard import IDLE_S, run_dashboard

    host, port = options.host, listening.getsockname()[1] if not options.child else 0
    found = {"url": f"http://{host}:{port}", "database": place_of(settings)}
    with listening:
        try:
            run_dashboard(
                address,
                listening,
                ready=lambda: tell_ready(found, options),
                idle_s=IDLE_S if options.child else None,
            )
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0


def _own_socket(settings: Settings, options: ServeOptions) -> socket.socket:
    """Where a dashboard of its own listens, after a look at the database. Raises SpecError, CannotListen."""
    from hpo.server import sockets
    from hpo.service.exposure import is_loopback

    if not is_loopback(options.host):
        raise SpecError(
            "the Optuna dashboard asks for no keys, so it listens on this machine only; the API shows it "
            "to those who have one",
            field="--host",
        )
    look_at_database(settings)
    listening = sockets.listen(options.host, options.port)
    place = f"{options.host}:{listening.getsockname()[1]}"
    say(
        f"the Optuna dashboard listens at http://{place}/dashboard; HPO_DASHBOARD={place} has an API show it",
        quiet=options.quiet,
    )
    return listening
