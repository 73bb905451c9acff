"""Activations, forward and backward, over a run of lanes that share one.

A run is a stretch of flat buffers. sigmoid, elu, gelu and their kin give other bits in the last elements
of a buffer than elsewhere, so they compute over whole blocks: a run that does not end with a block is
computed beyond its end, into scratch memory, and only the run itself is taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpo.fused.device import BLOCK, round_up

aten: Any = torch.ops.aten

# Of selu, as torch has them.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@dataclass(slots=True)
class Run:
    """The lanes [start, stop) of one hidden layer that share an activation.

    z: what is activated, [K * rows * pieces * width] as a flat buffer that is longer than its last lane;
        act itself where nobody needs it again
    act: the layer's activations, [K * rows * width], flat as well
    read: what the next layer reads, laid out like act: the same after dropout, which may be act itself
    grad: the gradient of act; z_grad: of z; one buffer, but for maxout
    scratch: a flat buffer of at least the run's length, rounded up
    begin, end: the run's place in act; lane: elements of a lane in it; width: units; pieces: of maxout
    knob: [k, 1]; of prelu it is the slope itself, and knob_grad where its gradient goes
    mask: [k, 1, width], 0 for units that are only padding, where any lane of the run has such
    """

    z: Tensor
    act: Tensor
    read: Tensor
    grad: Tensor
    z_grad: Tensor
    scratch: Tensor
    begin: int
    end: int
    lane: int
    width: int
    pieces: int
    knob: Tensor
    knob_grad: Tensor
    mask: Tensor | None

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

    def over_lane(self, each: Tensor) -> Tensor:
        """The sum over each lane's elements, [k, 1]; each: as `lanes` gives it."""
        return each.sum(1, keepdim=True)

    def by_piece(self, flat: Tensor) -> tuple[Tensor, ...]:
        """The run's part of a buffer like z as [k * rows, width], one for each piece."""
        own = flat[self.begin * self.pieces : self.end * self.pieces]
        return own.view(-1, self.pieces, self.width).unbind(1)


Step = Callable[[], None]
Bind = Callable[[Run], tuple[Step, Step]]
Forward = Callable[[Tensor, Tensor], object]  # z, out
Backward = Callable[[Tensor, Tensor, Tensor], object]  # gradient, z or the result, out


def _nothing() -> None:
    """Nothing to do: the slope is one."""


def _linear(run: Run) -> tuple[Step, Step]:
    z, act = run.own(run.z), run.own(run.act)

    def forward() -> None:
        act.copy_(z)

    return (_nothing if run.z is run.act else forward), _nothing


def _relu(run: Run) -> tuple[Step, Step]:
    # Always the result after dropout, though z would do: a gradient that is no number must not come
    # or go with what the neighbours' activations need.
    z, act, read, grad = (run.own(flat) for flat in (run.z, run.act, run.read, run.grad))

    def forward() -> None:
        torch.clamp_min(z, 0, out=act)

    def backward() -> None:
        aten.threshold_backward.grad_input(grad, read, 0, grad_input=grad)

    return forward, backward


def _in_blocks(run: Run, into: Tensor) -> tuple[Tensor, Step]:
    """Where to write a result for the run's part of `into`, and how to bring it there."""
    own, out = run.own(into), run.temporary()
    if len(own) == len(out):
        return own, _nothing

    def settle() -> None:
        own.copy_(out[: len(own)])

    return out, settle


def from_result(of_z: Forward, of_result: Backward) -> Bind:
    """An activation whose slope is told from its result."""
    return lambda run: _elementwise(run, of_z, of_result, run.act)


def _from_input(of_z: Forward, of_gradient: Backward) -> Bind:
    """An activation whose slope is told from its input."""
    return lambda run: _elementwise(run, of_z, of_gradient, run.z)


def _elementwise(run: Run, of_z: Forward, of_gradient: Backward, seen: Tensor) -> tuple[Step, Step]:
    z, grad, known = run.blocks(run.z), run.blocks(run.grad), run.blocks(seen)
    (out, settle), (grad_out, settle_grad) = _in_blocks(run, run.act), _in_blocks(run, run.grad)

    def forward() -> None:
        of_z(z, out)
        settle()

    def backward() -> None:
        of_gradient(grad, known, grad_out)
        settle_grad()

    return forward, backward


def _zero_at_padding(bind: Bind) -> Bind:
    """The same for an activation that is not 0 at 0: units that are only padding give 0 all the same."""

    def masked(run: Run) -> tuple[Step, Step]:
        forward, backward = bind(run)
        mask = run.mask
        if mask is None:
            return forward, backward
        act = run.own(run.act).view(len(mask), -1, run.width)

        def forward_and_mask() -> None:
            forward()
            act.mul_(mask)

        return forward_and_mask, backward

    return masked


def _in_common(common: Callable[[float], Bind], each: Bind) -> Bind:
    """Torch's own operation where all lanes of a run have one number, which is faster and has the same bits."""

    def bind(run: Run) -> tuple[Step, Step]:
        numbers = set(run.knob.flatten().tolist())
        return common(numbers.pop())(run) if len(numbers) == 1 else each(run)

    return bind


# Below, `torch.where` and masks of bools are left alone: they take thirty times as long as a comparison that
# gives floats. A product with 1 or a sum with 0 changes no bit.


def _slope_of(run: Run) -> Callable[[], Tensor]:
    """The slope at each element of z, [k, lane]: 1 above 0, else the lane's number. For backward: overwrites act."""
    z, act, number = run.lanes(run.z), run.lanes(run.act), run.knob
    slope = run.temporary()[: run.end - run.begin].view(-1, run.lane)

    def compute() -> Tensor:
        torch.gt(z, 0, out=slope)
        torch.le(z, 0, out=act)
        return slope.addcmul_(act, number)

    return compute


def _leaky_relu(run: Run) -> tuple[Step, Step]:
    z, act, grad, number = run.lanes(run.z), run.lanes(run.act), run.lanes(run.grad), run.knob
    below, slope_of = run.temporary()[: run.end - run.begin].view(-1, run.lane), _slope_of(run)

    def forward() -> None:
        torch.clamp_max(z, 0, out=below)
        torch.clamp_min(z, 0, out=act).addcmul_(below, number)

    def backward() -> None:
        grad.mul_(slope_of())

    return forward, backward


def _prelu(run: Run) -> tuple[Step, Step]:
    """As leaky_relu, but the slope is a weight of the lane."""
    forward, to_input = _leaky_relu(run)
    z, grad, slope_grad = run.lanes(run.z), run.lanes(run.grad), run.knob_grad
    each = run.temporary()[: run.end - run.begin].view(-1, run.lane)

    def backward() -> None:
        torch.clamp_max(z, 0, out=each).mul_(grad)
        slope_grad.copy_(run.over_lane(each))
        to_input()

    return forward, backward


def _elu(run: Run) -> tuple[Step, Step]:
    z, act, grad, alpha = run.lanes(run.z), run.lanes(run.act), run.lanes(run.grad), run.knob
    z_blocks, grad_blocks, out_blocks = run.blocks(run.z), run.blocks(run.grad), run.temporary()
    out, slope_of = out_blocks[: run.end - run.begin].view(-1, run.lane), _slope_of(run)

    def forward() -> None:
        aten.elu.out(z_blocks, 1, 1, 1, out=out_blocks)
        out.clamp_max_(0)
        torch.clamp_min(z, 0, out=act).addcmul_(out, alpha)

    def backward() -> None:
        grad.mul_(slope_of())
        aten.elu_backward.grad_input(grad_blocks, 1, 1, 1, False, z_blocks, grad_input=out_blocks)
        grad.copy_(out)

    return forward, backward


def _maxout(run: Run) -> tuple[Step, Step]:
    """The largest of the pieces; the first of equal ones takes the gradient."""
    act, grad = (run.own(flat).view(-1, run.width) for flat in (run.act, run.grad))
    pieces, grads = run.by_piece(run.z), run.by_piece(run.z_grad)

    def forward() -> None:
        act.copy_(pieces[0])
        for piece in pieces[1:]:
            torch.maximum(act, piece, out=act)

    def backward() -> None:
        for piece, piece_grad in zip(pieces, grads, strict=True):
            torch.eq(piece, act, out=piece_grad).mul_(grad)
            grad.sub_(piece_grad)  # what one piece has taken is gone for the others

    return forward, backward


ACTIVATIONS: dict[str, Bind] = {
    "linear": _linear,
    "sigmoid": _zero_at_padding(
        from_result(
            lambda z, out: torch.sigmoid(z, out=out),
            lambda g, y, out: aten.sigmoid_backward.grad_input(g, y, grad_input=out),
        )
    ),
    "tanh": from_result(
        lambda z, out: torch.tanh(z, out=out),
        lambda g, y, out: aten.tanh_backward.grad_input(g, y, grad_input=out),
    ),
    "relu": _relu,
    "leaky_relu": _in_common(
        lambda slope: _from_input(
            lambda z, out: aten.leaky_relu.out(z, slope, out=out),
            lambda g, z, out: aten.leaky_relu_backward.grad_input(g, z, slope, False, grad_input=out),
        ),
        _leaky_relu,
    ),
    "prelu": _prelu,
    "elu": _in_common(
        lambda alpha: _from_input(
            lambda z, out: aten.elu.out(z, alpha, 1, 1, out=out),
            lambda g, z, out: aten.elu_backward.grad_input(g, alpha, 1, 1, False, z, grad_input=out),
        ),
        _elu,
    ),
    "maxout": _maxout,
    "gelu": _from_input(
        lambda z, out: aten.gelu.out(z, out=out),
        lambda g, z, out: aten.gelu_backward.grad_input(g, z, grad_input=out),
    ),
    "silu": _from_input(
        lambda z, out: aten.silu.out(z, out=out),
        lambda g, z, out: aten.silu_backward.grad_input(g, z, grad_input=out),
    ),
    "selu": _from_input(
        lambda z, out: aten.elu.out(z, SELU_ALPHA, SELU_SCALE, 1, out=out),
        lambda g, z, out: aten.elu_backward.grad_input(
            g, SELU_ALPHA, SELU_SCALE, 1, False, z, grad_input=out
        ),
    ),
    "softplus": _zero_at_padding(
        _from_input(
            lambda z, out: aten.softplus.out(z, 1, 20, out=out),
            lambda g, z, out: aten.softplus_backward.grad_input(g, z, 1, 20, grad_input=out),
        )
    ),
    "mish": _from_input(
        lambda z, out: aten.mish.out(z, out=out),
        lambda g, z, out: out.copy_(aten.mish_backward(g, z)),
    ),
}
# Those whose backward gives a dropped unit no gradient anyway: no mask need be kept for it.
TELLS_DROPPED = frozenset({"relu"})
# Those whose slope is told from the result itself; relu can do with the result after dropout, and the
# others with the input, so that dropout may work in place.
NEEDS_RESULT = frozenset({"sigmoid", "tanh", "maxout"})
# Those whose slope is told from the input, which must then not be overwritten by the result.
KEEPS_INPUT = frozenset(ACTIVATIONS) - {"linear", "sigmoid", "tanh", "relu"}
KNOBS = {"leaky_relu": "negative_slope", "elu": "elu_alpha"}
