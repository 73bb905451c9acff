"""Adam and its kin: running means m and v of the gradient and its square, corrected for their start at 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hpo.fused.update import Numbers, Optimizer, Slice, Square

# torch's momentum_decay of NAdam, and its factor
_MOMENTUM_DECAY, _DECAY_BASE = 4e-3, 0.96
# NAdam's product of momenta, each about a half, is 0 in single precision after so many updates.
_PRODUCTS = 512


class Adam(Optimizer):
    """p -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps); with weight decay this is AdamW."""

    n_states = 2

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.beta1, self.beta2 = lanes.numbers(lambda s: s.beta1), lanes.numbers(lambda s: s.beta2)
        self.rest1 = lanes.knob(lambda s: 1 - s.beta1)
        self.square = Square(lanes, lambda s: s.beta2)
        self.eps = lanes.knob(lambda s: s.epsilon)

    def corrections(self, count: Numbers) -> Sequence[Numbers]:
        """1 - beta1^t and the root of 1 - beta2^t."""
        return 1 - self.beta1**count, np.sqrt(1 - self.beta2**count)

    def coefficients(self, rates: Tensor, *corrections: Tensor) -> Sequence[Tensor]:
        """The step size, negative, and what the root of v is divided by."""
        one, root = corrections
        return -(rates / one), root

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (minus_size, root) = self.lanes, coefficients
        self.average_()
        torch.sqrt(s.states[1], out=s.d).div_(root).add_(self.eps)
        torch.mul(s.states[0], minus_size, out=s.t)
        s.p.addcdiv_(s.t, s.d)

    def average_(self) -> None:
        """Take the gradient into m and its square into v."""
        s = self.lanes
        s.states[0].lerp_(s.g, self.rest1)
        self.square.update_(s.states[1], s.g, s.t)


class AmsGrad(Adam):
    """Adam with the largest v so far in place of v."""

    n_states = 3

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (minus_size, root) = self.lanes, coefficients
        m, v, largest, *_ = s.states
        self.average_()
        torch.maximum(largest, v, out=largest)
        torch.sqrt(largest, out=s.d).div_(root).add_(self.eps)
        torch.mul(m, minus_size, out=s.t)
        s.p.addcdiv_(s.t, s.d)


class NAdam(Adam):
    """Adam that looks ahead as Nesterov does: part of the step is along g itself.

    The momentum mu(t) = beta1 (1 - 0.96^(t/250) / 2) grows, and its product over all t corrects the start.
    """

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        # torch keeps the product in single precision, whatever the weights have.
        momenta = self._momentum(np.arange(1, _PRODUCTS + 1, dtype=np.float64)[:, None])
        self._products = np.multiply.accumulate(momenta.astype(np.float32), axis=0).astype(np.float64)

    def _momentum(self, count: Numbers) -> Numbers:
        momentum: Numbers = self.beta1 * (1 - 0.5 * _DECAY_BASE ** (count * _MOMENTUM_DECAY))
        return momentum

    def corrections(self, count: Numbers) -> Sequence[Numbers]:
        """1 - mu(t), 1 - product to t, mu(t + 1), 1 - product to t + 1, 1 - beta2^t."""
        place = (np.minimum(count, _PRODUCTS) - 1).astype(np.int64)
        product = self._products[place, np.arange(len(self.beta1))]
        now, ahead = self._momentum(count), self._momentum(count + 1)
        return 1 - now, 1 - product, ahead, 1 - product * ahead, 1 - self.beta2**count

    def coefficients(self, rates: Tensor, *corrections: Tensor) -> Sequence[Tensor]:
        """The step sizes along g and m, negative, and what v is divided by."""
        rest, along, ahead, along_next, two = corrections
        return -rates * rest / along, -rates * ahead / along_next, two

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (minus_g, minus_m, two) = self.lanes, coefficients
        self.average_()
        torch.div(s.states[1], two, out=s.d).sqrt_().add_(self.eps)
        s.p.addcdiv_(s.g.mul_(minus_g), s.d)
        s.p.addcdiv_(torch.mul(s.states[0], minus_m, out=s.t), s.d)


class RAdam(Adam):
    """Adam whose step shrinks by how uncertain v still is; where that is unknown, the step ignores v."""

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self._any_early = True

    def corrections(self, count: Numbers) -> Sequence[Numbers]:
        """1 - beta1^t, the root of 1 - beta2^t, the rectification, 1 where there is none yet."""
        power = self.beta2**count
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * count * power / (1 - power)
        early = length <= 5
        known = np.where(early, 6.0, length)  # any length above 4: the root of what follows is real
        over = np.where(early, 6.0, longest)
        shrink = np.sqrt((known - 4) * (known - 2) * over / ((over - 4) * (over - 2) * known))
        self._any_early = bool(early.any())
        return 1 - self.beta1**count, np.sqrt(1 - power), np.where(early, 1.0, shrink), early.astype(float)

    def coefficients(self, rates: Tensor, *corrections: Tensor) -> Sequence[Tensor]:
        """As they come, and the rate."""
        return rates, *corrections

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (rate, one, root, shrink, early) = self.lanes, coefficients
        self.average_()
        torch.sqrt(s.states[1], out=s.d).add_(self.eps).reciprocal_().mul_(root)
        if self._any_early:
            s.d.masked_fill_(early > 0, 1.0)
        s.p.sub_(torch.div(s.states[0], one, out=s.t).mul_(rate).mul_(s.d).mul_(shrink))


class Adamax(Adam):
    """Adam with the largest gradient, slowly forgotten, in place of the root of v."""

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        self.memory = lanes.knob(lambda s: s.beta2)

    def corrections(self, count: Numbers) -> Sequence[Numbers]:
        """1 - beta1^t."""
        return (1 - self.beta1**count,)

    def coefficients(self, rates: Tensor, *corrections: Tensor) -> Sequence[Tensor]:
        """The step size, negative."""
        return (-(rates / corrections[0]),)

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        s, (m, largest, *_) = self.lanes, self.lanes.states
        m.lerp_(s.g, self.rest1)
        torch.maximum(largest.mul_(self.memory), torch.abs(s.g, out=s.t).add_(self.eps), out=largest)
        s.p.addcdiv_(torch.mul(m, coefficients[0], out=s.t), largest)
