"""Losses of classes: cross-entropy after softmax or sigmoid, with label smoothing and class weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.fused.device import BLOCK, VECTOR, Memory, column, round_up
from hpo.fused.outputs import Outputs
from hpo.fused.targets import Target
from hpo.training import LaneSettings

aten: Any = torch.ops.aten


class CrossEntropy:
    """Softmax and cross-entropy, in whichever layout has the bits of torch's [B, C] at the best speed.

    Below 16 classes the class axis stands before the rows, which are padded to whole vectors: many
    times faster than along the last axis, and the same bits. From 16 classes on torch sums along the
    last axis in another order, and is fast there.

    With label smoothing e a row's loss is (1 - e) of -logp at its label plus e/C of the sum over all
    classes; with class weights each -logp is weighed by its class and the mean divides by the rows' weights.
    """

    def __init__(
        self,
        settings: Sequence[LaneSettings],
        rows: int,
        n_classes: int,
        memory: Memory,
        class_weights: Tensor | None = None,
    ) -> None:
        self._n_lanes, self._n_classes = len(settings), n_classes
        self._classes_first = n_classes < VECTOR
        size = self._n_lanes * round_up(rows, VECTOR) * n_classes
        self._flat = [memory.flat(name, size) for name in ("logits", "logp")]
        self._axis = 1 if self._classes_first else 2
        self._class_numbers = self._by_axis(torch.arange(n_classes, device=memory.device, dtype=memory.dtype))
        self._views: dict[int, tuple[Tensor, Tensor]] = {}
        smoothing = [s.label_smoothing for s in settings]
        self._smooths = any(smoothing)
        self._smooth = column([float(e > 0) for e in smoothing], memory.device, memory.dtype) > 0
        self._keep = column([1 - e for e in smoothing], memory.device, memory.dtype)
        self._share = column([e / n_classes for e in smoothing], memory.device, memory.dtype)
        self._class_weights = class_weights
        if class_weights is not None:
            self._weight_of_class = self._by_axis(class_weights)
            self._blank = class_weights.new_zeros(rows, n_classes)

    def _by_axis(self, classes: Tensor) -> Tensor:
        """Numbers [C] of the classes so that they stand along the class axis of the buffers."""
        return classes.unsqueeze(1) if self._classes_first else classes

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

    def _by_class(self, p: Outputs, one: Tensor) -> Tensor:
        """[K, B, C] as a view of one of the buffers."""
        return one[:, :, : p.rows].transpose(1, 2) if self._classes_first else one

    def per_row(self, p: Outputs, target: Target) -> tuple[Tensor, Tensor]:
        """The loss of every row, [K, B], and the plain one."""
        logits, logp = self._buffers(p.rows)
        self._by_class(p, logits).copy_(p.out)
        torch.log_softmax(logits, self._axis, out=logp)
        index = target.labels.unsqueeze(self._axis - 1).expand(self._n_lanes, -1, -1)
        plain = torch.gather(logp, self._axis, index).squeeze(self._axis).neg_()
        loss = plain if target.weight is None else plain * target.weight
        if self._smooths:
            each = logp if self._class_weights is None else logp * self._weight_of_class
            spread = each.sum(self._axis)[:, : p.rows]
            # Not 0 times the spread, which may be infinite, in a lane that does not smooth.
            loss = torch.where(self._smooth, loss * self._keep - spread * self._share, loss)
        return loss, plain

    def divisor(self, target: Target) -> Tensor | int:
        """How many rows, or the sum of their weights."""
        return len(target.labels) if target.weight is None else target.weight.sum().double()

    def backward(self, p: Outputs, target: Target) -> None:
        """Write the gradient of the mean over rows: that of -logp, then log_softmax's own."""
        logits, logp = self._buffers(p.rows)
        grad = self._smoothed_grad(logp, target) if self._smooths else self._shared_grad(logp, target)
        aten._log_softmax_backward_data.out(grad.expand_as(logp), logp, self._axis, logp.dtype, out=logits)
        p.out_grad.copy_(self._by_class(p, logits))

    def _shared_grad(self, logp: Tensor, target: Target) -> Tensor:
        """With respect to logp where no lane smooths: the same for all lanes, [C, B rounded up] or [B, C]."""
        grad = logp.new_zeros(logp.shape[1:])
        index = target.labels.unsqueeze(self._axis - 1)
        if target.weight is None:
            return grad.scatter_(self._axis - 1, index, -1.0 / len(target.labels))
        at_label = -(target.weight * self._total(target).reciprocal())
        return grad.scatter_(self._axis - 1, index, at_label.unsqueeze(self._axis - 1))

    def _total(self, target: Target) -> Tensor:
        """The sum of the rows' weights as nll_loss has it, in its order of adding."""
        blank = self._blank[: len(target.labels)]
        total: Tensor = aten.nll_loss_forward(blank, target.labels, self._class_weights, 1, -100)[1]
        return total

    def _smoothed_grad(self, logp: Tensor, target: Target) -> Tensor:
        """With respect to logp, [K, ...] as logp: one number at labels, another at other classes."""
        label = torch.zeros(logp.shape[1:], dtype=torch.bool, device=logp.device)
        label.scatter_(self._axis - 1, target.labels.unsqueeze(self._axis - 1), True)
        if target.weight is None:
            elsewhere = (self._share / -len(target.labels)).unsqueeze(2)  # [K, 1, 1]
            at_label = elsewhere + (self._keep / -len(target.labels)).unsqueeze(2)
        else:
            by_class = self._weight_of_class  # [C, 1] or [C]
            elsewhere = by_class * (self._share / -target.weight.sum()).unsqueeze(2)
            at_label = elsewhere + by_class * (self._keep / -self._total(target)).unsqueeze(2)
        return torch.where(label, at_label, elsewhere)

    def predict(self, p: Outputs) -> Tensor:
        """The likeliest class, the first of equals, [K, B].

        The least number of a class that is not below the greatest: without the branches of argmax,
        which a processor mostly guesses wrong.
        """
        scratch, logp = self._buffers(p.rows)
        torch.lt(logp, torch.amax(logp, self._axis, keepdim=True), out=scratch)
        torch.add(self._class_numbers, scratch, alpha=self._n_classes, out=scratch)
        return torch.amin(scratch, self._axis)[:, : p.rows].long()

    def scores(self, p: Outputs) -> Tensor:
        """Log-probabilities [K, C, B]; of two classes how far the second's logit is above the first's, [K, 1, B]."""
        if self._n_classes == 2:
            return (p.out[:, :, 1] - p.out[:, :, 0]).unsqueeze(1)
        _, logp = self._buffers(p.rows)
        return self._by_class(p, logp).transpose(1, 2).clone(memory_format=torch.contiguous_format)


class BinaryCrossEntropy:
    """Sigmoid and cross-entropy on one logit; smoothing e makes the target y (1 - e) + e/2."""

    def __init__(
        self,
        settings: Sequence[LaneSettings],
        rows: int,
        n_classes: int,
        memory: Memory,
        class_weights: Tensor | None = None,
    ) -> None:
        self._scratch = memory.flat("sigmoid", len(settings) * rows)
        self._whole = memory.flat("logits", len(settings) * rows)
        smoothing = [s.label_smoothing for s in settings]
        self._smooths = any(smoothing)
        self._keep = column([1 - e for e in smoothing], memory.device, memory.dtype)
        self._half = column([e / 2 for e in smoothing], memory.device, memory.dtype)

    def _blocks(self, p: Outputs) -> tuple[Tensor, Tensor]:
        """The logits in whole blocks, and as much scratch memory."""
        n = round_up(p.out.numel(), BLOCK)
        return self._whole[:n], self._scratch[:n]

    def _smoothed(self, target: Target) -> Tensor:
        """The targets, [K, B]; [B] where no lane smooths."""
        return target.y * self._keep + self._half if self._smooths else target.y

    def per_row(self, p: Outputs, target: Target) -> tuple[Tensor, Tensor]:
        """The loss of every row, [K, B], and the plain one."""
        logits = p.out.squeeze(2)
        whole, _ = self._blocks(p)
        whole[: logits.numel()].copy_(logits.reshape(-1))
        log_sigmoid = F.logsigmoid(whole)[: logits.numel()].view_as(logits)
        plain = ((1 - target.y) * logits).sub_(log_sigmoid)
        loss = plain
        if self._smooths:
            loss = ((1 - self._smoothed(target)) * logits).sub_(log_sigmoid)
        return loss if target.weight is None else loss * target.weight, plain

    def backward(self, p: Outputs, target: Target) -> None:
        """Write the gradient of the mean over rows."""
        whole, scratch = self._blocks(p)
        torch.sigmoid(whole, out=scratch)
        out = p.out_grad.squeeze(2)
        torch.sub(scratch[: out.numel()].view_as(out), self._smoothed(target), out=out)
        if target.weight is not None:
            out.mul_(target.weight)
        out.div_(p.rows)

    def predict(self, p: Outputs) -> Tensor:
        """1 where the logit is above 0, [K, B]."""
        return (p.out.squeeze(2) > 0).long()

    def divisor(self, target: Target) -> Tensor | int:
        """How many rows, weighed or not."""
        return len(target.y)

    def scores(self, p: Outputs) -> Tensor:
        """The logits, [K, 1, B]."""
        return p.out.transpose(1, 2).clone(memory_format=torch.contiguous_format)
