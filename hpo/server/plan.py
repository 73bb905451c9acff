"""What a whole server consists of: its parts, their commands, and what each is told."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import hpo
from hpo.server.part import Part

API, COORDINATOR, DASHBOARD = "api", "coordinator", "dashboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server listens: the address as given, the real port, and the socket of it."""

    host: str
    port: int
    listening: socket.socket


def has_dashboard() -> bool:
    """Whether the Optuna dashboard is installed (the extra `dashboard`)."""
    return find_spec("optuna_dashboard") is not None


def parts_of(
    place: Place,
    pool: tuple[str, ...],
    dashboard: tuple[socket.socket, str] | None,
    *,
    cluster: dict[str, str],
) -> tuple[Part, ...]:
    """The parts of a whole server.

    pool: words of the command line about it; dashboard: the socket on which the supervisor waits for
    the first visitor, and its address; None: no dashboard of our own; cluster: what the coordinator's
    environment says of Ray
    """
    address = ("--host", place.host, "--port", str(place.port))
    told = {} if dashboard is None else {"HPO_DASHBOARD": dashboard[1]}
    parts = [
        Part(name=API, command=_command(API, *address), environment=_found(told), listening=place.listening),
        Part(name=COORDINATOR, command=_command(COORDINATOR, *pool), environment=_found(cluster)),
    ]
    if dashboard is not None:
        command = _command(DASHBOARD)
        parts.append(
            Part(
                name=DASHBOARD,
                command=command,
                environment=_found({}),
                listening=dashboard[0],
                on_demand=True,
            )
        )
    return tuple(parts)


def _command(only: str, *words: str) -> tuple[str, ...]:
    """The same verb that runs this part alone; -P: a file of the current folder is no module of ours."""
    return (sys.executable, "-P", "-m", "hpo.cli.main", "serve", "--only", only, "--quiet", *words)


def _found(environment: dict[str, str]) -> dict[str, str]:
    """An environment in which hpo is found, in a checkout too."""
    root = Path(hpo.__file__).parent.parent
    if "site-packages" in root.parts:
        return environment
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(root)]))
    return {**environment, "PYTHONPATH": path}
