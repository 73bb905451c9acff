"""Named search spaces: `parameters: mlp-default` in a study file, `hpo spaces` on the command line."""

from __future__ import annotations

from hpo.service.space_files import names, read, text
from hpo.service.specfile import parse_parameters
from hpo.space import SearchSpace

__all__ = ["description", "load", "names", "text"]


def load(name: str) -> SearchSpace:
    """The search space of that name, checked. Raises UnknownName."""
    return parse_parameters(read(name)[1])


def description(name: str) -> str:
    """What it says about itself. Raises UnknownName."""
    return read(name)[0]
