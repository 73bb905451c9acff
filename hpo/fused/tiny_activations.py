"""Activations of tiny networks: those of all others over whole buffers, but for a tanh that is twice as fast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hpo.fused import activations
from hpo.fused.activations import Bind, Run

aten: Any = torch.ops.aten

# Beyond half of this tanh is 1 in any precision there is, and exp would in the end be infinite.
_ALL_BUT_1 = 60.0


class TinyRun(Run):
    """A hidden layer whose lanes stand last in memory: `lane` is K, `width` is H * K, knobs are [1, K]."""

    __slots__ = ()

    def over_lane(self, each: Tensor) -> Tensor:
        """The sum over each lane's elements, [1, K]; each: as `lanes` gives it."""
        return each.sum(0, keepdim=True)


def _tanh(z: Tensor, out: Tensor) -> None:
    """e / (e + 2) with e = exp(2 z) - 1: off by at most three units in the last place, near 0 too."""
    e = torch.add(z, z, out=out).clamp_max_(_ALL_BUT_1).expm1_()
    e.div_(e + 2)


ACTIVATIONS: dict[str, Bind] = activations.ACTIVATIONS | {
    "tanh": activations.from_result(
        _tanh, lambda g, y, out: aten.tanh_backward.grad_input(g, y, grad_input=out)
    )
}
