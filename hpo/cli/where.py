"""Where a verb works: on a server with --server or HPO_SERVER, else here; some verbs are of this machine only."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from hpo.cli.log import hush_news
from hpo.cli.output import say
from hpo.errors import SpecError
from hpo.settings import read_settings

ServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="The server to ask, before HPO_SERVER; else this machine."),
]
RefusedOption = Annotated[str | None, typer.Option("--server", hidden=True)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the verb that runs works. server: what --server says; here: it asks no server, whatever is set."""

    server: str | None = None
    here: bool = False


_place: ContextVar[_Place | None] = ContextVar("place", default=None)

Verb = Callable[..., Any]

# Verbs that never ask a server -> what to do instead.
HERE: dict[str, str] = {
    "run": "`hpo submit --watch` has the server train, `HPO_SERVER= hpo run` trains here",
    "check": "it tries a network out on this machine",
    "serve": "it is the server",
    "db upgrade": "it works on the database of HPO_STORAGE; run it where the server runs",
    "db status": "it looks at the database of HPO_STORAGE; run it where the server runs",
}
# Of these, the ones that would do something else than is meant when HPO_SERVER is set.
_REFUSED = ("run",)


def server_of(setting: str | None) -> str | None:
    """The server that the verb which runs is to ask; setting: what HPO_SERVER says."""
    place = _place.get() or _Place()
    return None if place.here else place.server or setting


def server_said_in() -> str:
    """Where the server was named: by the option, or in the environment."""
    place = _place.get() or _Place()
    return "HPO_SERVER" if place.server is None else "--server"


def typed(command: str) -> str:
    """A command to type next, on the same server: with --server where that was an option of this one.

    >>> typed("hpo show wine")
    'hpo show wine'
    """
    place = _place.get() or _Place()
    return command if place.server is None else f"{command} --server {place.server}"


def placed(name: str, verb: Verb) -> Verb:
    """The verb with the option --server: obeyed, or refused with what to do instead."""
    if name in HERE:
        return _with_option(verb, RefusedOption, functools.partial(_stay_here, name))
    return _with_option(verb, ServerOption, _go_there)


def _go_there(server: str | None, _quiet: bool) -> None:
    _place.set(_Place(server=server))


def _stay_here(name: str, server: str | None, quiet: bool) -> None:
    """Raises SpecError where a server was asked for; a note where one only stands in the environment."""
    _place.set(_Place(here=True))
    if server is not None:
        raise SpecError(f"`hpo {name}` asks no server: {HERE[name]}", field="--server")
    if read_settings().server is None:
        return
    if name in _REFUSED:
        raise SpecError(f"`hpo {name}` asks no server: {HERE[name]}", field="HPO_SERVER")
    say(f"note: HPO_SERVER is set, and `hpo {name}` asks no server: {HERE[name]}", quiet=quiet)


def _with_option(verb: Verb, option: Any, heed: Callable[[str | None, bool], None]) -> Verb:
    signature = inspect.signature(verb, eval_str=True)
    server = inspect.Parameter("server", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)

    @functools.wraps(verb)
    def obeyed(*, server: str | None, **words: Any) -> Any:
        quiet = bool(words.get("quiet"))
        if quiet:
            hush_news()
        heed(server, quiet)
        return verb(**words)

    obeyed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), server])  # type: ignore[attr-defined]
    return obeyed
