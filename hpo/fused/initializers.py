"""How weights begin: Keras's initializers, drawn once for all lanes of a repeat."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.fused.device import column
from hpo.fused.layers import FIRST_EXTRAS, Layout
from hpo.model import NetworkShape
from hpo.seeds import lane_seed
from hpo.training import LaneSettings

# The standard deviation of a standard normal cut off at 2, by which Keras's variance scaling divides.
TRUNCATED_SD = 0.87962566103423978

Draw = Callable[[torch.Generator, int, int], Tensor]
Plan = tuple[Draw, float]  # what is drawn, and what it is multiplied by


def _ones(generator: torch.Generator, n_in: int, n_out: int) -> Tensor:
    """Ones, [out, in]."""
    return torch.ones(n_out, n_in, dtype=torch.float64)


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


def _orthogonal(generator: torch.Generator, n_in: int, n_out: int) -> Tensor:
    """Orthonormal rows or columns, whichever are fewer, [out, in]: Q of a normal matrix, all such alike likely."""
    normal = _normal(generator, n_in, n_out)
    q, r = torch.linalg.qr(normal if n_out >= n_in else normal.T)
    q *= r.diagonal().sign()  # else the sign of a row or column would say how it came about
    w: Tensor = q if n_out >= n_in else q.T
    return w


# By init_mode: what the variance is divided by. By init_distribution: a draw, and its standard deviation.
FANS: dict[str, Callable[[int, int], float]] = {
    "fan_in": lambda n_in, n_out: n_in,
    "fan_out": lambda n_in, n_out: n_out,
    "fan_avg": lambda n_in, n_out: (n_in + n_out) / 2,
}
DISTRIBUTIONS: dict[str, tuple[Draw, float]] = {
    "uniform": (_uniform, 1 / math.sqrt(3)),
    "truncated_normal": (_truncated, TRUNCATED_SD),
    "untruncated_normal": (_normal, 1.0),
}


def _variance(scale: float, mode: str, distribution: str) -> Callable[[LaneSettings, int, int], Plan]:
    return lambda s, n_in, n_out: _variance_scaling(scale, FANS[mode](n_in, n_out), distribution)


def _variance_scaling(scale: float, fan: float, distribution: str) -> Plan:
    """A draw of variance scale / fan."""
    draw, sd = lookup(DISTRIBUTIONS, distribution, "init distribution")
    return draw, math.sqrt(scale / fan) / sd


INITIALIZERS: dict[str, Callable[[LaneSettings, int, int], Plan]] = {
    "zeros": lambda s, n_in, n_out: (_ones, 0.0),
    "ones": lambda s, n_in, n_out: (_ones, 1.0),
    "constant": lambda s, n_in, n_out: (_ones, s.init_scale),
    "random_uniform": lambda s, n_in, n_out: (_uniform, s.init_scale),
    "random_normal": lambda s, n_in, n_out: (_normal, s.init_scale),
    "truncated_normal": lambda s, n_in, n_out: (_truncated, s.init_scale),
    "glorot_uniform": _variance(1.0, "fan_avg", "uniform"),
    "glorot_normal": _variance(1.0, "fan_avg", "truncated_normal"),
    "he_uniform": _variance(2.0, "fan_in", "uniform"),
    "he_normal": _variance(2.0, "fan_in", "truncated_normal"),
    "lecun_normal": _variance(1.0, "fan_in", "truncated_normal"),
    "orthogonal": lambda s, n_in, n_out: (_orthogonal, s.init_scale),
    "variance_scaling": lambda s, n_in, n_out: _variance_scaling(
        s.init_scale, lookup(FANS, s.init_mode, "init mode")(n_in, n_out), s.init_distribution
    ),
}


def plan_of(settings: LaneSettings, n_in: int, n_out: int) -> Plan:
    """What a lane's layer begins with: a draw that many lanes may share, and a factor. Raises UnknownName."""
    return lookup(INITIALIZERS, settings.initializer, "initializer")(settings, n_in, n_out)


def drawn(draw: Draw, n_in: int, n_out: int, *, seed: int, repeat: int, layer: int) -> Tensor:
    """A draw [out, in], float64. All trials of a repeat draw from the same stream."""
    generator = torch.Generator().manual_seed(lane_seed(seed, repeat, "weights", layer))
    return draw(generator, n_in, n_out)


def initial_weight(
    settings: LaneSettings, n_in: int, n_out: int, *, seed: int, repeat: int, layer: int
) -> Tensor:
    """The first weights [out, in] of one layer, float64. Raises UnknownName.

    All trials of a repeat draw from the same stream, so those that share an initializer begin alike.
    """
    draw, factor = plan_of(settings, n_in, n_out)
    return drawn(draw, n_in, n_out, seed=seed, repeat=repeat, layer=layer) * factor


def begin_(
    flat: Tensor, layout: Layout, lanes: Sequence[tuple[LaneSettings, NetworkShape]], seed: int, repeat: int
) -> None:
    """Write into a storage of zeros [K, P] what lanes of these settings and own shapes begin with."""
    by_shape: dict[NetworkShape, list[int]] = {}
    for place, (_, own) in enumerate(lanes):
        by_shape.setdefault(own, []).append(place)
    for own, places in by_shape.items():
        settings, rows = [lanes[place][0] for place in places], flat[places]
        views = layout.own(rows, own)
        for layer, (n_in, n_out) in enumerate(own.layers):
            together: dict[Draw, list[tuple[int, float]]] = {}
            for row, s in enumerate(settings):
                draw, factor = plan_of(s, n_in, n_out)
                together.setdefault(draw, []).append((row, factor))
            for draw, members in together.items():
                w = drawn(draw, n_in, n_out, seed=seed, repeat=repeat, layer=layer)
                into = views["weight"][layer]
                factors = column([factor for _, factor in members], flat.device, flat.dtype)
                into[[row for row, _ in members]] = w.view(into.shape[1:]) * factors[:, :, None, None]
            views["bias"][layer].copy_(
                column([s.bias_init for s in settings], flat.device, flat.dtype)[:, :, None]
            )
        for name, value in FIRST_EXTRAS.items():
            for view in views.get(name, ()):
                view.fill_(value)
        flat[places] = rows
