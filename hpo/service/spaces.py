"""Named search spaces: `parameters: mlp-default` in a study file, `hpo spaces` on the command line."""

from __future__ import annotations

from typing import Any

from hpo.errors import SpaceNotFound, UnknownName
from hpo.service.space_files import names, read, text
from hpo.service.specfile import parse_parameters
from hpo.space import SearchSpace

__all__ = ["description", "listed", "load", "names", "shown", "text"]


def load(name: str) -> SearchSpace:
    """The search space of that name, checked. Raises UnknownName."""
    return parse_parameters(read(name)[1])


def description(name: str) -> str:
    """What it says about itself. Raises UnknownName."""
    return read(name)[0]


def listed() -> list[dict[str, Any]]:
    """The named search spaces, each with what it says about itself."""
    return [{"name": name, "about": description(name)} for name in names()]


def shown(name: str) -> dict[str, Any]:
    """One of them with its parameters and its file. Raises SpaceNotFound."""
    try:
        about, parameters = read(name)
    except UnknownName as error:
        raise SpaceNotFound(error.detail) from None
    return {"name": name, "about": about, "parameters": parameters, "text": text(name)}
