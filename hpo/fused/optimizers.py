"""Optimizers: torch.optim's formulas with a vector of knobs, in the orderings that keep their bits.

Where torch multiplies by a number, these multiply by a column with a number for each lane; which of
several equal formulas gives equal bits was found by trial, and the tests hold it fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.fused.device import column
from hpo.training import LaneSettings


@dataclass(slots=True)
class Slice:
    """The lanes of one optimizer: views [k, P] of weights, gradient, two states and scratch memory.

    What an optimizer leaves in g and t is of no use to anybody.
    """

    p: Tensor
    g: Tensor
    m: Tensor
    v: Tensor
    t: Tensor
    d: Tensor
    settings: Sequence[LaneSettings]

    def knob(self, value: Callable[[LaneSettings], float]) -> Tensor:
        """A knob of every lane as [k, 1]: computed in double, cast once."""
        return column([value(s) for s in self.settings], self.p.device, self.p.dtype)


class Optimizer:
    """Moves the weights of some lanes. `begin` prepares some steps, `step_` does one of them, from 0."""

    n_states = 0  # of `m` and `v`, how many are read

    def __init__(self, lanes: Slice) -> None:
        self.lanes = lanes
        self.minus_lr = lanes.knob(lambda s: -s.learning_rate)
        self._tables: dict[tuple[str, int], tuple[Tensor, Sequence[Tensor]]] = {}

    def table(self, name: str, rows: Sequence[Sequence[float]]) -> Sequence[Tensor]:
        """A number for each step and lane, [steps][k] doubles, as a [k, 1] for each step.

        Tables of one name and length stand in the same memory, so that a recorded step reads the new ones.
        """
        new = torch.tensor(rows, dtype=torch.float64).to(self.lanes.p)
        key = name, len(new)
        if key not in self._tables:
            self._tables[key] = new, new.unsqueeze(2).unbind(0)
        held, views = self._tables[key]
        held.copy_(new)
        return views

    def begin(self, first: int, n_steps: int) -> None:
        """Prepare for steps first .. first + n_steps - 1."""

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        raise NotImplementedError


class Sgd(Optimizer):
    """p -= lr g."""

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        s = self.lanes
        s.p.addcmul_(s.g, self.minus_lr)


class Momentum(Optimizer):
    """m = mu m + g; p -= lr m."""

    n_states = 1

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.mu = lanes.knob(lambda s: s.momentum)

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        s = self.lanes
        s.m.mul_(self.mu).add_(s.g)
        s.p.addcmul_(s.m, self.minus_lr)


class Nesterov(Momentum):
    """m = mu m + g; p -= lr (g + mu m)."""

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        s = self.lanes
        s.m.mul_(self.mu).add_(s.g)
        s.g.addcmul_(s.m, self.mu)
        s.p.addcmul_(s.g, self.minus_lr)


class _Square:
    """v = decay v + (1 - decay) g², without a temporary when all lanes decay alike: the bits are the same."""

    def __init__(self, lanes: Slice, decay: Callable[[LaneSettings], float]) -> None:
        self.decay, self.rest = lanes.knob(decay), lanes.knob(lambda s: 1 - decay(s))
        decays = {decay(s) for s in lanes.settings}
        self.common = 1 - decays.pop() if len(decays) == 1 else None

    def update_(self, v: Tensor, g: Tensor, t: Tensor) -> None:
        """Update v; t is scratch memory."""
        v.mul_(self.decay)
        if self.common is not None:
            v.addcmul_(g, g, value=self.common)
        else:
            v.addcmul_(torch.mul(g, self.rest, out=t), g)


class Adagrad(Optimizer):
    """m += g²; p -= lr g / (sqrt(m) + eps)."""

    n_states = 1

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.eps = lanes.knob(lambda s: s.epsilon)

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        s = self.lanes
        s.m.addcmul_(s.g, s.g)
        torch.sqrt(s.m, out=s.d).add_(self.eps)
        s.g.mul_(self.minus_lr)
        s.p.addcdiv_(s.g, s.d)


class RmsProp(Adagrad):
    """m = rho m + (1 - rho) g²; p -= lr g / (sqrt(m) + eps)."""

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.square = _Square(lanes, lambda s: s.rho)

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        s = self.lanes
        self.square.update_(s.m, s.g, s.t)
        torch.sqrt(s.m, out=s.d).add_(self.eps)
        s.g.mul_(self.minus_lr)
        s.p.addcdiv_(s.g, s.d)


class Adam(Optimizer):
    """m, v: running means of g and g²; p -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)."""

    n_states = 2

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.rest1 = lanes.knob(lambda s: 1 - s.beta1)
        self.square = _Square(lanes, lambda s: s.beta2)
        self.eps = lanes.knob(lambda s: s.epsilon)
        self.minus_size: Sequence[Tensor] = ()
        self.root: Sequence[Tensor] = ()

    def begin(self, first: int, n_steps: int) -> None:
        """Work out the bias corrections of the steps in Python's doubles, as torch.optim does."""
        steps, settings = range(first, first + n_steps), self.lanes.settings
        one = {b: [1 - b**t for t in steps] for b in {s.beta1 for s in settings}}
        two = {b: [(1 - b**t) ** 0.5 for t in steps] for b in {s.beta2 for s in settings}}
        size = [[-(s.learning_rate / one[s.beta1][i]) for s in settings] for i in range(n_steps)]
        self.minus_size = self.table("size", size)
        self.root = self.table("root", [[two[s.beta2][i] for s in settings] for i in range(n_steps)])

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        s = self.lanes
        s.m.lerp_(s.g, self.rest1)
        self.square.update_(s.v, s.g, s.t)
        torch.sqrt(s.v, out=s.d).div_(self.root[i]).add_(self.eps)
        torch.mul(s.m, self.minus_size[i], out=s.t)
        s.p.addcdiv_(s.t, s.d)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RmsProp,
    "adam": Adam,
}


def n_states(settings: Sequence[LaneSettings]) -> int:
    """How many states the optimizers of these lanes need. Raises UnknownName."""
    return max(lookup(OPTIMIZERS, s.optimizer, "optimizer").n_states for s in settings)
