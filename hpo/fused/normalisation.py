"""Batch normalisation of one hidden layer of all lanes: torch's own, over all their units side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hpo.fused.device import BLOCK, Memory, round_up
from hpo.model import BATCH_NORM_EPSILON

aten: Any = torch.ops.aten

# The share of a batch in the running statistics: torch's way of saying Keras's 0.99.
MOMENTUM = 0.01

KNOBS = ("gamma", "beta", "mean", "variance")


class BatchNorm:
    """Works in place on [K, B, H]; torch wants [B, K * H], rounded up so that no lane meets the rest of a loop.

    knobs, grads: views [K, H] by name: gamma, beta, and the running mean and variance
    """

    def __init__(
        self,
        knobs: Mapping[str, Tensor],
        grads: Mapping[str, Tensor],
        memory: Memory,
        *,
        layer: int,
        rows: int,
        training: bool,
    ) -> None:
        self._knobs, self._grads, self._training = knobs, grads, training
        n_lanes, width = knobs["gamma"].shape
        n, size = n_lanes * width, round_up(n_lanes * width, BLOCK)

        def sheet(name: str, rows: int) -> tuple[Tensor, Tensor]:
            """[rows, size], and the lanes' part of it as [K, rows, H]."""
            whole = memory.flat(name, rows * size)[: rows * size].view(rows, size)
            return whole, whole[:, :n].view(rows, n_lanes, width).transpose(0, 1)

        # What backward must see again is each layer's own.
        self._x, self._x_lanes = sheet(f"norm_x{layer}", rows)
        self._y, self._y_lanes = sheet("norm_y", rows)
        self._knob, knob_lanes = sheet("norm_knobs", len(KNOBS))
        self._knob_lanes = knob_lanes.unbind(1)
        self._saved, _ = sheet(f"norm_saved{layer}", 2)

    def _read(self) -> tuple[Tensor, ...]:
        for name, lanes in zip(KNOBS, self._knob_lanes, strict=True):
            lanes.copy_(self._knobs[name])
        return self._knob.unbind(0)

    def forward(self, z: Tensor) -> None:
        """Normalise z [K, B, H]: by the batch and with a step of the running statistics in training, else by those."""
        gamma, beta, mean, variance = self._read()
        self._x_lanes.copy_(z)
        aten.native_batch_norm.out(
            self._x, gamma, beta, mean, variance, self._training, MOMENTUM, BATCH_NORM_EPSILON,
            out=self._y, save_mean=self._saved[0], save_invstd=self._saved[1],
        )  # fmt: skip
        z.copy_(self._y_lanes)
        if self._training:
            self._knobs["mean"].copy_(self._knob_lanes[2])
            self._knobs["variance"].copy_(self._knob_lanes[3])

    def backward(self, grad: Tensor) -> None:
        """From the gradient of the result to that of z, in place, and to those of gamma and beta."""
        gamma, _, mean, variance = self._read()
        self._y_lanes.copy_(grad)
        dx, *knob_grads = aten.native_batch_norm_backward(
            self._y,
            self._x,
            gamma,
            mean,
            variance,
            *self._saved,
            True,
            BATCH_NORM_EPSILON,
            [True, True, True],
        )
        n_lanes, width = self._knobs["gamma"].shape
        grad.copy_(dx[:, : n_lanes * width].view(len(dx), n_lanes, width).transpose(0, 1))
        for name, found in zip(KNOBS, knob_grads, strict=False):
            self._grads[name].copy_(found[: n_lanes * width].view(n_lanes, width))
