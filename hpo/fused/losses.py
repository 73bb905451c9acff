"""Losses: the mean over a batch's rows, its gradient, and what metrics need to know of the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.fused.device import BLOCK, buffer, round_up
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

    def rows(self, begin: int, end: int) -> Target:
        """Rows [begin, end)."""
        return Target(self.y[begin:end], self.labels[begin:end])


class Loss(Protocol):
    """Reads `out` of a pass and writes `out_grad`."""

    def per_row(self, p: Pass, target: Target) -> Tensor:
        """The loss of every row, [K, B], in a buffer that the next call overwrites."""

    def backward(self, p: Pass, target: Target) -> None:
        """Write the gradient of the mean over rows; `per_row` was called just before."""

    def predict(self, p: Pass) -> Tensor:
        """Class numbers [K, B] int64, or the outputs [K, B] of a regression; after `per_row`."""


class CrossEntropy:
    """Softmax and cross-entropy, the class axis before the rows: as fast as vectors go, same bits."""

    def __init__(self, n_lanes: int, rows: int, n_classes: int, like: Tensor) -> None:
        self._n_lanes, self._n_classes = n_lanes, n_classes
        self._flat = [buffer(n_lanes * rows * n_classes, like.device, like.dtype) for _ in range(3)]
        self._views: dict[int, list[Tensor]] = {}

    def _buffers(self, rows: int) -> list[Tensor]:
        """logits, log-probabilities and a gradient, [K, C, B]."""
        if rows not in self._views:
            n = self._n_lanes * self._n_classes * rows
            self._views[rows] = [f[:n].view(self._n_lanes, self._n_classes, rows) for f in self._flat]
        return self._views[rows]

    def per_row(self, p: Pass, target: Target) -> Tensor:
        """The loss of every row, [K, B]."""
        logits, logp, _ = self._buffers(p.rows)
        logits.copy_(p.out.transpose(1, 2))
        torch.log_softmax(logits, 1, out=logp)
        index = target.labels.view(1, 1, -1).expand(self._n_lanes, 1, -1)
        return torch.gather(logp, 1, index).squeeze(1).neg_()

    def backward(self, p: Pass, target: Target) -> None:
        """Write the gradient of the mean over rows."""
        logits, logp, grad = self._buffers(p.rows)
        # The gradient of the mean of -logp at the labels, then log_softmax's own backward.
        at_label = torch.zeros(self._n_classes, p.rows, device=grad.device, dtype=grad.dtype)
        at_label.scatter_(0, target.labels.unsqueeze(0), -1.0 / p.rows)
        grad.copy_(at_label)
        aten._log_softmax_backward_data.out(grad, logp, 1, grad.dtype, out=logits)
        p.out_grad.copy_(logits.transpose(1, 2))

    def predict(self, p: Pass) -> Tensor:
        """The likeliest class, the first of equals, [K, B]."""
        return torch.max(self._buffers(p.rows)[1], 1).indices


class BinaryCrossEntropy:
    """Sigmoid and cross-entropy on one logit."""

    def __init__(self, n_lanes: int, rows: int, n_classes: int, like: Tensor) -> None:
        self._scratch = buffer(n_lanes * rows, like.device, like.dtype)
        self._whole = buffer(n_lanes * rows, like.device, like.dtype)

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

    def __init__(self, n_lanes: int, rows: int, n_classes: int, like: Tensor) -> None:
        del n_lanes, rows, n_classes, like

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
