"""Activations of tiny networks: those of all others over whole buffers, but for a tanh that is four times as fast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hpo.fused import activations
from hpo.fused.activations import Bind, Run

aten: Any = torch.ops.aten


class TinyRun(Run):
    """A hidden layer whose lanes stand last in memory: `lane` is K, `width` is H * K, knobs are [1, K]."""

    __slots__ = ()

    def over_lane(self, each: Tensor) -> Tensor:
        """The sum over each lane's elements, [1, K]; each: as `lanes` gives it."""
        return each.sum(0, keepdim=True)


def _tanh(z: Tensor, out: Tensor) -> None:
    """2 sigmoid(2 z) - 1, off by at most two units in the last place of 1."""
    torch.mul(z, 2, out=out)
    torch.sigmoid(out, out=out)
    out.mul_(2).sub_(1)


ACTIVATIONS: dict[str, Bind] = activations.ACTIVATIONS | {
    "tanh": activations.from_result(
        _tanh, lambda g, y, out: aten.tanh_backward.grad_input(g, y, grad_input=out)
    )
}
