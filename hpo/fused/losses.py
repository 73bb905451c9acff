"""Losses: the mean over a batch's rows, its gradient, and what metrics need to know of the outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.fused.device import BLOCK, VECTOR, Memory, round_up
from hpo.fused.network import Pass

aten: Any = torch.ops.aten


@dataclass(slots=True)
class Target:
    """The targets of some rows: y [n] in the outputs' dtype, labels [n] int64 for classes."""

    y: Tensor
    labels: Tensor

    def take(self, order: Tensor) -> Target:
        """The rows in another order."""
        return Target(self.y[order], self.labels[order])

    def split(self, size: int) -> list[Target]:
        """Parts of `size` rows; the last may be small."""
        return [
            Target(*part)
            for part in zip(torch.split(self.y, size), torch.split(self.labels, size), strict=True)
        ]


class Loss(Protocol):
    """Reads `out` of a pass and writes `out_grad`."""

    def per_row(self, p: Pass, target: Target) -> Tensor:
        """The loss of every row, [K, B], in a buffer that the next call overwrites."""

    def backward(self, p: Pass, target: Target) -> None:
        """Write the gradient of the mean over rows; `per_row` was called just before."""

    def predict(self, p: Pass) -> Tensor:
        """Class numbers [K, B] int64, or the outputs [K, B] of a regression; after `per_row`."""


class CrossEntropy:
    """Softmax and cross-entropy, in whichever layout has the bits of torch's [B, C] at the best speed.

    Below 16 classes the class axis stands before the rows, which are padded to whole vectors: many
    times faster than along the last axis, and the same bits. From 16 classes on torch sums along the
    last axis in another order, and is fast there.
    """

    def __init__(self, n_lanes: int, rows: int, n_classes: int, memory: Memory) -> None:
        self._n_lanes, self._n_classes = n_lanes, n_classes
        self._classes_first = n_classes < VECTOR
        size = n_lanes * round_up(rows, VECTOR) * n_classes
        self._flat = [memory.flat(name, size) for name in ("logits", "logp")]
        self._axis = 1 if self._classes_first else 2
        self._class_numbers = torch.arange(n_classes, device=memory.device, dtype=memory.dtype)
        if self._classes_first:
            self._class_numbers = self._class_numbers.unsqueeze(1)
        self._views: dict[int, tuple[Tensor, Tensor]] = {}

    def _buffers(self, rows: int) -> tuple[Tensor, Tensor]:
        """Logits (and scratch) and log-probabilities: [K, C, B rounded up] or [K, B, C]."""
        if rows not in self._views:
            shape = (self._n_lanes, rows, self._n_classes)
            if self._classes_first:
                shape = (self._n_lanes, self._n_classes, round_up(rows, VECTOR))
            n = math.prod(shape)
            logits, logp = (flat[:n].view(shape) for flat in self._flat)
            self._views[rows] = logits.zero_(), logp
        return self._views[rows]

    def _by_class(self, p: Pass, one: Tensor) -> Tensor:
        """[K, B, C] as a view of one of the buffers."""
        return one[:, :, : p.rows].transpose(1, 2) if self._classes_first else one

    def per_row(self, p: Pass, target: Target) -> Tensor:
        """The loss of every row, [K, B]."""
        logits, logp = self._buffers(p.rows)
        self._by_class(p, logits).copy_(p.out)
        torch.log_softmax(logits, self._axis, out=logp)
        index = target.labels.unsqueeze(self._axis - 1).expand(self._n_lanes, -1, -1)
        return torch.gather(logp, self._axis, index).squeeze(self._axis).neg_()

    def backward(self, p: Pass, target: Target) -> None:
        """Write the gradient of the mean over rows: that of -logp at the labels, then log_softmax's own."""
        logits, logp = self._buffers(p.rows)
        grad = logp.new_zeros(logp.shape[1:])  # the same for all lanes
        grad.scatter_(self._axis - 1, target.labels.unsqueeze(self._axis - 1), -1.0 / p.rows)
        aten._log_softmax_backward_data.out(grad.expand_as(logp), logp, self._axis, logp.dtype, out=logits)
        p.out_grad.copy_(self._by_class(p, logits))

    def predict(self, p: Pass) -> Tensor:
        """The likeliest class, the first of equals, [K, B].

        The least number of a class that is not below the greatest: without the branches of argmax,
        which a processor mostly guesses wrong.
        """
        scratch, logp = self._buffers(p.rows)
        torch.lt(logp, torch.amax(logp, self._axis, keepdim=True), out=scratch)
        torch.add(self._class_numbers, scratch, alpha=self._n_classes, out=scratch)
        return torch.amin(scratch, self._axis)[:, : p.rows].long()


class BinaryCrossEntropy:
    """Sigmoid and cross-entropy on one logit."""

    def __init__(self, n_lanes: int, rows: int, n_classes: int, memory: Memory) -> None:
        self._scratch = memory.flat("sigmoid", n_lanes * rows)
        self._whole = memory.flat("logits", n_lanes * rows)

    def _blocks(self, p: Pass) -> tuple[Tensor, Tensor]:
        """The logits in whole blocks, and as much scratch memory."""
        n = round_up(p.out.numel(), BLOCK)
        return self._whole[:n], self._scratch[:n]

    def per_row(self, p: Pass, target: Target) -> Tensor:
        """The loss of every row, [K, B]."""
        logits = p.out.squeeze(2)
        whole, _ = self._blocks(p)
        whole[: logits.numel()].copy_(logits.reshape(-1))
        log_sigmoid = F.logsigmoid(whole)[: logits.numel()].view_as(logits)
        return ((1 - target.y) * logits).sub_(log_sigmoid)

    def backward(self, p: Pass, target: Target) -> None:
        """Write the gradient of the mean over rows."""
        whole, scratch = self._blocks(p)
        torch.sigmoid(whole, out=scratch)
        out = p.out_grad.squeeze(2)
        torch.sub(scratch[: out.numel()].view_as(out), target.y, out=out)
        out.div_(p.rows)

    def predict(self, p: Pass) -> Tensor:
        """1 where the logit is above 0, [K, B]."""
        return (p.out.squeeze(2) > 0).long()


class MeanSquaredError:
    """(output - y)²."""

    def __init__(self, n_lanes: int, rows: int, n_classes: int, memory: Memory) -> None:
        del n_lanes, rows, n_classes, memory

    def per_row(self, p: Pass, target: Target) -> Tensor:
        """The loss of every row, [K, B]."""
        return (p.out.squeeze(2) - target.y).square_()

    def backward(self, p: Pass, target: Target) -> None:
        """Write the gradient of the mean over rows."""
        out = p.out_grad.squeeze(2)
        torch.sub(p.out.squeeze(2), target.y, out=out)
        out.mul_(2.0 / p.rows)

    def predict(self, p: Pass) -> Tensor:
        """The outputs, [K, B]."""
        return p.out.squeeze(2)


LOSSES: dict[str, type[CrossEntropy] | type[BinaryCrossEntropy] | type[MeanSquaredError]] = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "mse": MeanSquaredError,
}
