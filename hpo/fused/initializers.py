"""How weights begin: Keras's initializers, drawn once for all lanes of a repeat."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.seeds import lane_seed

# The standard deviation of a standard normal cut off at 2, by which Keras divides.
TRUNCATED_SD = 0.87962566103423978

Draw = Callable[[torch.Generator, int, int], Tensor]


def _uniform(generator: torch.Generator, n_in: int, n_out: int) -> Tensor:
    """Uniform between -1 and 1, [out, in]."""
    return torch.rand(n_out, n_in, generator=generator, dtype=torch.float64) * 2 - 1


def _normal(generator: torch.Generator, n_in: int, n_out: int) -> Tensor:
    """Standard normal, [out, in]."""
    return torch.randn(n_out, n_in, generator=generator, dtype=torch.float64)


def _truncated(generator: torch.Generator, n_in: int, n_out: int) -> Tensor:
    """Standard normal given that it is between -2 and 2: what redrawing beyond 2 sd gives."""
    edge = math.erf(2 / math.sqrt(2))
    u = torch.rand(n_out, n_in, generator=generator, dtype=torch.float64) * 2 - 1
    return torch.erfinv(u * edge) * math.sqrt(2)


def _scaled(draw: Draw, scale: Callable[[int, int], float]) -> Draw:
    return lambda generator, n_in, n_out: draw(generator, n_in, n_out) * scale(n_in, n_out)


INITIALIZERS: dict[str, Draw] = {
    "zeros": lambda generator, n_in, n_out: torch.zeros(n_out, n_in, dtype=torch.float64),
    "random_uniform": _scaled(_uniform, lambda n_in, n_out: 0.05),
    "random_normal": _scaled(_normal, lambda n_in, n_out: 0.05),
    "glorot_uniform": _scaled(_uniform, lambda n_in, n_out: math.sqrt(6 / (n_in + n_out))),
    "glorot_normal": _scaled(_truncated, lambda n_in, n_out: math.sqrt(2 / (n_in + n_out)) / TRUNCATED_SD),
    "he_uniform": _scaled(_uniform, lambda n_in, n_out: math.sqrt(6 / n_in)),
    "he_normal": _scaled(_truncated, lambda n_in, n_out: math.sqrt(2 / n_in) / TRUNCATED_SD),
}


def initial_weight(name: str, n_in: int, n_out: int, *, seed: int, repeat: int, layer: int) -> Tensor:
    """The first weights [out, in] of one layer, float64. Raises UnknownName.

    All trials of a repeat draw from the same stream, so those that share an initializer begin alike.
    """
    generator = torch.Generator().manual_seed(lane_seed(seed, repeat, "weights", layer))
    return lookup(INITIALIZERS, name, "initializer")(generator, n_in, n_out)
