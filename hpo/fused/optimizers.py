"""Optimizers: torch.optim's formulas with a vector of knobs, in the orderings that keep their bits.

Where torch multiplies by a number, these multiply by a column with a number for each lane; which of
several equal formulas gives equal bits was found by trial, and the tests hold it fast.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.fused.adam import Adam, Adamax, AmsGrad, NAdam, RAdam
from hpo.fused.update import Optimizer, Slice, Square, skips
from hpo.training import LaneSettings


class Sgd(Optimizer):
    """p -= lr g."""

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        self.lanes.p.addcmul_(self.lanes.g, coefficients[0])


class Momentum(Optimizer):
    """m = mu m + g; p -= lr m."""

    n_states = 1

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.mu = lanes.knob(lambda s: s.momentum)

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s = self.lanes
        s.states[0].mul_(self.mu).add_(s.g)
        s.p.addcmul_(s.states[0], coefficients[0])


class Nesterov(Momentum):
    """m = mu m + g; p -= lr (g + mu m)."""

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s = self.lanes
        s.states[0].mul_(self.mu).add_(s.g)
        s.p.addcmul_(s.g.addcmul_(s.states[0], self.mu), coefficients[0])


class Adagrad(Optimizer):
    """v += g²; p -= lr g / (sqrt(v) + eps)."""

    n_states = 1

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.eps = lanes.knob(lambda s: s.epsilon)

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s = self.lanes
        s.states[0].addcmul_(s.g, s.g)
        torch.sqrt(s.states[0], out=s.d).add_(self.eps)
        s.p.addcdiv_(s.g.mul_(coefficients[0]), s.d)


class RmsProp(Adagrad):
    """v = rho v + (1 - rho) g²; p -= lr g / (sqrt(v) + eps)."""

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.square = Square(lanes, lambda s: s.rho)

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s = self.lanes
        self.square.update_(s.states[0], s.g, s.t)
        torch.sqrt(s.states[0], out=s.d).add_(self.eps)
        s.p.addcdiv_(s.g.mul_(coefficients[0]), s.d)


class CenteredRmsProp(RmsProp):
    """m = rho m + (1 - rho) g; p -= lr g / (sqrt(v - m²) + eps): by the deviation, not the size."""

    n_states = 2

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.rest = lanes.knob(lambda s: 1 - s.rho)

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (v, m, *_) = self.lanes, self.lanes.states
        self.square.update_(v, s.g, s.t)
        m.lerp_(s.g, self.rest)
        torch.addcmul(v, m, m, value=-1, out=s.d).sqrt_().add_(self.eps)
        s.p.addcdiv_(s.g.mul_(coefficients[0]), s.d)


class Adadelta(RmsProp):
    """v = rho v + (1 - rho) g²; d = sqrt(u + eps) / sqrt(v + eps) g; u = rho u + (1 - rho) d²; p -= lr d."""

    n_states = 2

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (v, u, *_) = self.lanes, self.lanes.states
        self.square.update_(v, s.g, s.t)
        torch.add(v, self.eps, out=s.t).sqrt_()
        torch.add(u, self.eps, out=s.d).sqrt_().div_(s.t).mul_(s.g)
        self.square.update_(u, s.d, s.t)
        s.p.addcmul_(s.d, coefficients[0])


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RmsProp,
    "adam": Adam,
    "amsgrad": AmsGrad,
    "nadam": NAdam,
    "adamw": Adam,
    "radam": RAdam,
    "adamax": Adamax,
}
CENTERED: dict[str, type[Optimizer]] = {"rmsprop": CenteredRmsProp}


def optimizer_of(settings: LaneSettings) -> type[Optimizer]:
    """What moves a lane. Raises UnknownName."""
    return lookup(CENTERED if settings.centered else OPTIMIZERS, settings.optimizer, "optimizer")


def variant(settings: LaneSettings) -> tuple[str, bool, bool]:
    """Lanes of one variant are moved together; sorted by it, they adjoin."""
    return settings.optimizer, settings.centered, skips(settings)


def n_states(settings: Sequence[LaneSettings]) -> int:
    """How many states the optimizers of these lanes need. Raises UnknownName."""
    return max(optimizer_of(s).n_states for s in settings)
