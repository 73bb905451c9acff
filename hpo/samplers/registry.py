"""The samplers by name."""

from __future__ import annotations

from collections.abc import Callable

from hpo.errors import lookup
from hpo.samplers.base import Sampler
from hpo.samplers.grid import GridSampler
from hpo.samplers.points import grid_size
from hpo.samplers.random import RandomSampler
from hpo.study import StudySpec

__all__ = ["SAMPLERS", "grid_size", "make_sampler"]


def _random(spec: StudySpec) -> Sampler:
    seed = spec.seed if spec.sampler.seed is None else spec.sampler.seed
    return RandomSampler(seed, spec.parameters)


def _grid(spec: StudySpec) -> Sampler:
    return GridSampler(spec.parameters)


SAMPLERS: dict[str, Callable[[StudySpec], Sampler]] = {"random": _random, "grid": _grid}


def make_sampler(spec: StudySpec) -> Sampler:
    """The sampler a study asks for. Raises UnknownName, SpecError for a grid without end."""
    return lookup(SAMPLERS, spec.sampler.name, "sampler")(spec)
