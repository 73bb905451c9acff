"""Batch normalisation of one hidden layer of all lanes, the lane last in memory: torch's own, without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hpo.fused.normalisation import KNOBS, MOMENTUM
from hpo.model import BATCH_NORM_EPSILON

aten: Any = torch.ops.aten


class TinyBatchNorm:
    """From x to y, both [B, H * K].

    knobs, grads: [H * K] by name: gamma, beta, and the running mean and variance
    """

    def __init__(
        self,
        knobs: Mapping[str, Tensor],
        grads: Mapping[str, Tensor],
        x: Tensor,
        y: Tensor,
        *,
        training: bool,
    ) -> None:
        self._knobs = tuple(knobs[name] for name in KNOBS)
        self._gamma_grad, self._beta_grad = grads["gamma"], grads["beta"]
        self._x, self._y, self._training = x, y, training
        self._saved = x.new_empty(2, x.shape[1])

    def forward(self) -> None:
        """Normalise by the batch, with a step of the running statistics, in training; else by those."""
        aten.native_batch_norm.out(
            self._x, *self._knobs, self._training, MOMENTUM, BATCH_NORM_EPSILON,
            out=self._y, save_mean=self._saved[0], save_invstd=self._saved[1],
        )  # fmt: skip

    def backward(self, grad: Tensor) -> None:
        """From the gradient of y to that of x, in place, and to those of gamma and beta."""
        gamma, _, mean, variance = self._knobs
        dx, gamma_grad, beta_grad = aten.native_batch_norm_backward(
            grad, self._x, gamma, mean, variance, *self._saved, True, BATCH_NORM_EPSILON, [True, True, True]
        )
        grad.copy_(dx)
        self._gamma_grad.copy_(gamma_grad)
        self._beta_grad.copy_(beta_grad)
