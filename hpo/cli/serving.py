"""The verb serve: API, coordinator and Optuna dashboard, all of them under a supervisor or one alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hpo import lifeline
from hpo.cli import serving_alone
from hpo.cli.output import Format, FormatOption, QuietOption, pairs, say
from hpo.cli.running import PoolChoice
from hpo.cli.serving_start import (
    ServeOptions,
    elsewhere_of,
    exit_code,
    listen,
    look_at_cluster,
    look_at_database,
    place_of,
    pool_text,
    say_pool_starts,
    tell_ready,
    url_of,
)
from hpo.errors import DashboardMissing
from hpo.settings import Settings, read_settings

if TYPE_CHECKING:
    from hpo.server.plan import Place

DEFAULT_HOST = "127.0.0.1"


class Only(StrEnum):
    """A part of a server that can run alone."""

    API = "api"
    COORDINATOR = "coordinator"
    DASHBOARD = "dashboard"


DEFAULT_PORTS: dict[Only | None, int] = {None: 8000, Only.API: 8000, Only.DASHBOARD: 8001}


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0: all.")] = DEFAULT_HOST,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, show_default="8000", help="The port to listen on; 0: any free one."),
    ] = None,
    pool: Annotated[PoolChoice, typer.Option(help="Where studies train.")] = PoolChoice.RAY,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="How many workers; default: one per core or GPU.")
    ] = None,
    only: Annotated[Only | None, typer.Option(help="Run this part alone.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> int:
    """Serve a team: web pages, REST API, the studies that come in, and Optuna's dashboard, on one port.

    HPO_STORAGE names the database. On an address that others reach, API keys are asked for.
    """
    child = lifeline.hold()
    options = ServeOptions(
        host=host,
        port=DEFAULT_PORTS.get(only, 0) if port is None else port,
        pool=pool,
        workers=workers,
        format=format,
        quiet=quiet,
        child=child,
    )
    return SERVERS[only](read_settings(), options)


def _whole(settings: Settings, options: ServeOptions) -> int:
    """Everything, in processes of their own."""
    from hpo.server import notify, plan, sockets
    from hpo.server.supervisor import Supervisor

    with ExitStack() as stack:
        place, auth = listen(settings, options)
        stack.enter_context(place.listening)
        cluster = look_at_cluster(settings, options)
        look_at_database(settings)
        dashboard = None
        if settings.dashboard is None and plan.has_dashboard():
            dashboard = sockets.listen_privately()
            stack.callback(sockets.remove_private, dashboard[1])
            stack.enter_context(dashboard[0])
        words: tuple[str, ...] = ("--pool", options.pool.value)
        words += ("--workers", str(options.workers)) if options.workers is not None else ()
        found = _describe(settings, options, place, auth)
        say(f"hpo serves {found.url}\n{_lines(found, auth)}", quiet=options.quiet)
        say_pool_starts(settings, options)
        number = Supervisor(
            plan.parts_of(place, words, dashboard, cluster=cluster),
            ready=lambda: tell_ready(asdict(found), options),
        ).run()
        notify.notify(notify.STOPPING)
    say("stopped; studies that were running go on when the server is started again", quiet=options.quiet)
    return exit_code(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a server says of itself when it starts."""

    url: str
    elsewhere: str | None
    auth: bool
    dashboard: str | None
    pool: str
    database: str


def _describe(settings: Settings, options: ServeOptions, place: Place, auth: bool) -> _Found:
    from hpo.server import plan

    there = settings.dashboard is not None or plan.has_dashboard()
    return _Found(
        url=url_of(place),
        elsewhere=elsewhere_of(settings, place),
        auth=auth,
        dashboard=f"{url_of(place)}/dashboard" if there else None,
        pool=pool_text(settings, options),
        database=place_of(settings),
    )


def _lines(found: _Found, auth: bool) -> str:
    """What people read when a server starts."""
    submit = f"hpo submit STUDY.yaml --server {found.url}"
    record = {
        "elsewhere": found.elsewhere,
        "keys": "asked for; `hpo keys create NAME` makes one"
        if auth
        else "none: only this machine reaches it",
        "dashboard": found.dashboard or DashboardMissing().detail,
        "pool": found.pool,
        "database": found.database,
        "submit": f"HPO_API_KEY=… {submit}" if auth else submit,
    }
    return pairs({name: line for name, line in record.items() if line is not None}, indent=2)


SERVERS: dict[Only | None, Callable[[Settings, ServeOptions], int]] = {
    None: _whole,
    Only.API: serving_alone.api,
    Only.COORDINATOR: serving_alone.coordinator,
    Only.DASHBOARD: serving_alone.dashboard,
}
