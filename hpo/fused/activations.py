"""Activations in place, forward and backward, over a run of lanes that share one.

A run is a stretch of a flat buffer. sigmoid and elu give other bits in the last elements of a buffer
than elsewhere, so they compute over whole blocks, beyond the run's end, into scratch memory, and only
the run itself is taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpo.fused.device import BLOCK, round_up

aten: Any = torch.ops.aten


@dataclass(slots=True)
class Run:
    """The lanes [start, stop) of one hidden layer that share an activation.

    act: the layer's activations, as a flat buffer that is longer than its last lane
    read: what the next layer reads, laid out like act: the same after dropout, which may be act itself
    grad: the gradient's flat buffer, laid out like act
    kept: a flat buffer for what backward needs besides the result, for those that need it
    scratch: a flat buffer of at least the run's length, rounded up
    begin, end: the run's place in those; lane: elements of a lane; knob: [k, 1] or None
    """

    act: Tensor
    read: Tensor
    grad: Tensor
    kept: Tensor
    scratch: Tensor
    begin: int
    end: int
    lane: int
    knob: Tensor

    def own(self, flat: Tensor) -> Tensor:
        """The run's part of a buffer, [k * lane]."""
        return flat[self.begin : self.end]

    def blocks(self, flat: Tensor) -> Tensor:
        """The same, up to the end of its last block."""
        return flat[self.begin : self.begin + round_up(self.end - self.begin, BLOCK)]

    def temporary(self) -> Tensor:
        """As much scratch memory as `blocks` gives."""
        return self.scratch[: round_up(self.end - self.begin, BLOCK)]

    def lanes(self, flat: Tensor) -> Tensor:
        """The run's own part as [k, lane]."""
        return self.own(flat).view(-1, self.lane)


Step = Callable[[], None]
Bind = Callable[[Run], tuple[Step, Step]]


def _linear(run: Run) -> tuple[Step, Step]:
    return _nothing, _nothing


def _nothing() -> None:
    """Nothing to do: the slope is one."""


def _relu(run: Run) -> tuple[Step, Step]:
    # Always the result after dropout, though the one before would do: a gradient that is no number
    # must not come or go with what the neighbours' activations need.
    act, read, grad = run.own(run.act), run.own(run.read), run.own(run.grad)

    def forward() -> None:
        torch.clamp_min(act, 0, out=act)

    def backward() -> None:
        aten.threshold_backward.grad_input(grad, read, 0, grad_input=grad)

    return forward, backward


def _tanh(run: Run) -> tuple[Step, Step]:
    act, out = run.own(run.act), run.temporary()
    act_blocks, grad_blocks = run.blocks(run.act), run.blocks(run.grad)
    grad = run.own(run.grad)

    def forward() -> None:
        torch.tanh(act, out=act)

    def backward() -> None:
        aten.tanh_backward.grad_input(grad_blocks, act_blocks, grad_input=out)
        grad.copy_(out[: len(grad)])

    return forward, backward


def _sigmoid(run: Run) -> tuple[Step, Step]:
    act, out, grad = run.own(run.act), run.temporary(), run.own(run.grad)
    act_blocks, grad_blocks = run.blocks(run.act), run.blocks(run.grad)

    def forward() -> None:
        torch.sigmoid(act_blocks, out=out)
        act.copy_(out[: len(act)])

    def backward() -> None:
        aten.sigmoid_backward.grad_input(grad_blocks, act_blocks, grad_input=out)
        grad.copy_(out[: len(grad)])

    return forward, backward


def _leaky_relu(run: Run) -> tuple[Step, Step]:
    act, grad, kept = run.lanes(run.act), run.lanes(run.grad), run.lanes(run.kept)
    out, slope = run.temporary()[: run.end - run.begin].view(-1, run.lane), run.knob

    def forward() -> None:
        kept.copy_(act)
        torch.mul(act, slope, out=out)
        torch.where(kept > 0, kept, out, out=act)

    def backward() -> None:
        torch.mul(grad, slope, out=out)
        torch.where(kept > 0, grad, out, out=grad)

    return forward, backward


def _elu(run: Run) -> tuple[Step, Step]:
    act, grad, kept = run.lanes(run.act), run.lanes(run.grad), run.lanes(run.kept)
    act_blocks, grad_blocks, kept_blocks = (run.blocks(b) for b in (run.act, run.grad, run.kept))
    out_blocks, alpha = run.temporary(), run.knob
    out = out_blocks[: run.end - run.begin].view(-1, run.lane)

    def forward() -> None:
        kept.copy_(act)
        aten.elu.out(act_blocks, 1, 1, 1, out=out_blocks)
        out.mul_(alpha)
        torch.where(kept > 0, kept, out, out=act)

    def backward() -> None:
        act.copy_(grad)
        grad.mul_(alpha)
        aten.elu_backward.grad_input(grad_blocks, 1, 1, 1, False, kept_blocks, grad_input=out_blocks)
        torch.where(kept > 0, act, out, out=grad)

    return forward, backward


ACTIVATIONS: dict[str, Bind] = {
    "linear": _linear,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
}
# Those whose slope cannot be told from the result: the input is kept.
KEEPS_INPUT = frozenset({"leaky_relu", "elu"})
# Those whose slope is told from the result itself; the others can do with the result after dropout,
# or without it, so that dropout may work in place.
NEEDS_RESULT = frozenset({"sigmoid", "tanh"})
# Those whose backward gives a dropped unit no gradient anyway: no mask need be kept for it.
TELLS_DROPPED = frozenset({"relu"})
KNOBS = {"leaky_relu": "negative_slope", "elu": "elu_alpha"}
