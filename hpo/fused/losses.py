"""Losses: what each row contributes, the gradient of their mean, and what metrics need to know of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from hpo.fused.classification import BinaryCrossEntropy, CrossEntropy
from hpo.fused.device import Memory, column
from hpo.fused.outputs import Outputs
from hpo.fused.targets import Target
from hpo.training import LaneSettings


class Loss(Protocol):
    """Reads `out` of a pass and writes `out_grad`."""

    def per_row(self, p: Outputs, target: Target) -> tuple[Tensor, Tensor]:
        """The loss of every row, [K, B], to be summed and divided by `divisor`; and the plain one.

        The plain one is the metric log_loss's share, without weights and smoothing: the very same tensor
        where there are none. Both are in buffers that the next call overwrites.
        """

    def divisor(self, target: Target) -> Tensor | int:
        """What the sum of the losses of rows is divided by for their mean: how many, or their weights' sum."""

    def backward(self, p: Outputs, target: Target) -> None:
        """Write the gradient of the mean over rows; `per_row` was called just before."""

    def predict(self, p: Outputs) -> Tensor:
        """Class numbers [K, B] int64, or the outputs [K, B] of a regression; after `per_row`."""

    def scores(self, p: Outputs) -> Tensor:
        """What rows are ranked by, a fresh [K, columns, B]: one column for each class, or of two classes

        one for the second; the outputs of a regression. After `per_row`.
        """


class _Regression:
    """What losses of the distance between output and target have in common. Both are scaled."""

    def __init__(
        self,
        settings: Sequence[LaneSettings],
        rows: int,
        n_classes: int,
        memory: Memory,
        class_weights: Tensor | None = None,
    ) -> None:
        self._delta = column([s.huber_delta for s in settings], memory.device, memory.dtype)

    def predict(self, p: Outputs) -> Tensor:
        """The outputs, [K, B]."""
        return p.out.squeeze(2)

    def divisor(self, target: Target) -> Tensor | int:
        """How many rows."""
        return len(target.y)

    def scores(self, p: Outputs) -> Tensor:
        """The outputs, [K, 1, B]."""
        return p.out.transpose(1, 2).clone(memory_format=torch.contiguous_format)


class MeanSquaredError(_Regression):
    """(output - y)²."""

    def per_row(self, p: Outputs, target: Target) -> tuple[Tensor, Tensor]:
        """The loss of every row, [K, B], twice."""
        loss = (p.out.squeeze(2) - target.y).square_()
        return loss, loss

    def backward(self, p: Outputs, target: Target) -> None:
        """Write the gradient of the mean over rows."""
        out = p.out_grad.squeeze(2)
        torch.sub(p.out.squeeze(2), target.y, out=out)
        out.mul_(2.0 / p.rows)


class MeanAbsoluteError(_Regression):
    """|output - y|."""

    def per_row(self, p: Outputs, target: Target) -> tuple[Tensor, Tensor]:
        """The loss of every row, [K, B], twice."""
        loss = (p.out.squeeze(2) - target.y).abs_()
        return loss, loss

    def backward(self, p: Outputs, target: Target) -> None:
        """Write the gradient of the mean over rows: 0 where there is no error, as torch has it."""
        out = p.out_grad.squeeze(2)
        torch.sub(p.out.squeeze(2), target.y, out=out)
        out.sign_().mul_(1.0 / p.rows)


class Huber(_Regression):
    """Half the squared error up to delta, from there on linear."""

    def per_row(self, p: Outputs, target: Target) -> tuple[Tensor, Tensor]:
        """The loss of every row, [K, B], twice."""
        off = (p.out.squeeze(2) - target.y).abs_()
        far = self._delta * (off - 0.5 * self._delta)
        loss = torch.where(off < self._delta, 0.5 * off * off, far)
        return loss, loss

    def backward(self, p: Outputs, target: Target) -> None:
        """Write the gradient of the mean over rows: the error, cut off at delta."""
        out = p.out_grad.squeeze(2)
        torch.sub(p.out.squeeze(2), target.y, out=out)
        out.clamp_(-self._delta, self._delta).mul_(1.0 / p.rows)


# A loss for lanes of these settings and passes of at most so many rows, of C classes; the weights of
# the classes, [C], when they differ: row weights then come with each target.
MakeLoss = Callable[[Sequence[LaneSettings], int, int, Memory, Tensor | None], Loss]

LOSSES: dict[str, MakeLoss] = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
}
