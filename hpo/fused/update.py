"""An update of some lanes by one optimizer: its coefficients, decoupled weight decay, updates thrown away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.fused.device import column
from hpo.training import LaneSettings

Numbers = NDArray[np.float64]


@dataclass(slots=True)
class Slice:
    """The lanes of one variant of an optimizer: views [k, P] of weights, gradient, states, scratch memory.

    decayed: the part of p that weight decay shrinks, [k, W]
    states: at least as many as the optimizer has
    What an optimizer leaves in g, t and d is of no use to anybody, but g must stay 0 where it is always 0:
    between the layers, and at running means and variances.
    """

    p: Tensor
    g: Tensor
    decayed: Tensor
    states: tuple[Tensor, ...]
    t: Tensor
    d: Tensor
    settings: Sequence[LaneSettings]

    def numbers(self, value: Callable[[LaneSettings], float]) -> Numbers:
        """A number of every lane, [k]."""
        return np.array([value(s) for s in self.settings], dtype=np.float64)

    def knob(self, value: Callable[[LaneSettings], float]) -> Tensor:
        """A knob of every lane as [k, 1]: computed in double, cast once."""
        return column([value(s) for s in self.settings], self.p.device, self.p.dtype)


class Optimizer:
    """Moves the weights of some lanes. `begin` prepares some steps, `step_` does one of them, from 0.

    What changes from step to step are coefficients, one for each lane: worked out in double from the
    learning rates and from corrections, which depend on the number of updates alone.
    """

    n_states = 0

    def __init__(self, lanes: Slice) -> None:
        self.lanes = lanes
        self._decay = torch.from_numpy(lanes.numbers(lambda s: s.weight_decay))
        self._decays = any(s.weight_decay for s in lanes.settings)
        self._tables: dict[int, tuple[Tensor, list[tuple[Tensor, ...]]]] = {}
        self._steps: list[tuple[Tensor, ...]] = []

    def begin(self, first: int, rates: Numbers) -> None:
        """Prepare for the steps from `first` (the first ever is 1), one for each row of rates [n, k]."""
        count = np.arange(first, first + len(rates), dtype=np.float64)[:, None]
        corrections = [torch.from_numpy(c) for c in self.corrections(count)]
        table = self._cast(torch.stack(self._with_decay(torch.from_numpy(rates), corrections, self._decay)))
        # Tables of one length stand in the same memory, so that a recorded step reads the new numbers.
        if len(rates) not in self._tables:
            held = table.unsqueeze(3)  # [coefficients, n, k, 1]
            self._tables[len(rates)] = held, list(zip(*(c.unbind(0) for c in held), strict=True))
        held, self._steps = self._tables[len(rates)]
        held.copy_(table.unsqueeze(3))

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        self.move_(*self._steps[i])

    def move_(self, *coefficients: Tensor) -> None:
        """Decay and update p by the coefficients of a step, each [k, 1]."""
        if self._decays:
            self.lanes.decayed.mul_(coefficients[0])
            coefficients = coefficients[1:]
        self.update_(*coefficients)

    def columns(self, rates: Tensor, corrections: Sequence[Tensor], decay: Tensor) -> list[Tensor]:
        """What `move_` takes, from rates, corrections and weight decay of one step, each [k] in double."""
        return [self._cast(c).unsqueeze(1) for c in self._with_decay(rates, corrections, decay)]

    def _with_decay(self, rates: Tensor, corrections: Sequence[Tensor], decay: Tensor) -> list[Tensor]:
        found = list(self.coefficients(rates, *corrections))
        return [1 - rates * decay, *found] if self._decays else found

    def _cast(self, c: Tensor) -> Tensor:
        return c.to(self.lanes.p.device, self.lanes.p.dtype)

    def corrections(self, count: Numbers) -> Sequence[Numbers]:
        """What depends on the number of updates, this one included: [n, k], from count [n, 1] or [n, k]."""
        return ()

    def coefficients(self, rates: Tensor, *corrections: Tensor) -> Sequence[Tensor]:
        """The coefficients of `update_`, by arithmetic on doubles [..., k]."""
        return (-rates,)

    def update_(self, *coefficients: Tensor) -> None:
        """Move p along g by torch.optim's formula."""
        raise NotImplementedError


class SkippingOptimizer:
    """An optimizer whose lanes throw away an update when its gradient is longer than their skip_norm.

    A lane that skips keeps weights, states and its own number of updates; its schedule goes on.
    norms: [k], written before each step; skipped: [k] int64, counted up here
    kept: memory for p and the states as they were, each [k, P]
    """

    def __init__(self, inner: Optimizer, norms: Tensor, skipped: Tensor, kept: Sequence[Tensor]) -> None:
        self._inner, self._norms, self._skipped = inner, norms, skipped
        changing = (inner.lanes.p, *inner.lanes.states[: inner.n_states])
        self._changing = list(zip(changing, kept, strict=True))
        self._limits, self._decay = (
            torch.from_numpy(inner.lanes.numbers(value)).to(norms.device)
            for value in (lambda s: s.skip_norm, lambda s: s.weight_decay)
        )
        self._before = skipped.clone()
        self._tables: dict[int, Tensor] = {}
        self._table = self._limits

    def begin(self, first: int, rates: Numbers) -> None:
        """Prepare for the steps from `first` (the first ever is 1), one for each row of rates [n, k]."""
        self._before.copy_(self._skipped)
        steps = np.arange(first, first + len(rates), dtype=np.float64)[:, None]
        corrections = self._inner.corrections(steps - self._skipped.cpu().numpy())
        table = torch.from_numpy(np.stack([rates, *corrections])).to(self._norms.device)  # [1 + c, n, k]
        self._table = self._tables.setdefault(len(rates), table)  # in the same memory, as above
        self._table.copy_(table)

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient, in the lanes whose gradient is not too long."""
        # A lane that has skipped meanwhile is that many updates behind the corrections worked out.
        row = (i - (self._skipped - self._before)).expand(len(self._table) - 1, 1, -1)
        corrections = self._table[1:].gather(1, row)[:, 0].unbind(0)
        too_long = self._norms > self._limits  # a norm that is NaN is not
        for now, kept in self._changing:
            kept.copy_(now)
        self._inner.move_(*self._inner.columns(self._table[0, i], corrections, self._decay))
        for now, kept in self._changing:
            torch.where(too_long.unsqueeze(1), kept, now, out=now)
        self._skipped.add_(too_long)


class Square:
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


def skips(settings: LaneSettings) -> bool:
    """Whether a lane throws long updates away."""
    return isfinite(settings.skip_norm)
