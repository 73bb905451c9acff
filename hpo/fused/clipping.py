"""Cut gradients off: each lane by its own norm and value, with the bits of torch.nn.utils.clip_grad_norm_."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor

from hpo.fused.device import column
from hpo.fused.update import skips
from hpo.training import LaneSettings

_ROOM = 1e-6  # what torch adds to a norm before it divides by it


def norms_of(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of each lane's share of each tensor [K, ...], as [K, tensors]."""
    return torch.stack([torch.linalg.vector_norm(t, dim=tuple(range(1, t.dim()))) for t in tensors], 1)


class Clipping:
    """The gradient cut-off of some lanes; it costs nothing when none asks.

    parts: the gradient of every parameter, [K, ...], in the order of torch's `parameters()`
    grads: [K, P], all of them with the room between, which is not counted
    norms: [K] in double, of the last gradient before clipping; not written unless `needs_norms`
    """

    def __init__(self, settings: Sequence[LaneSettings], parts: Sequence[Tensor], grads: Tensor) -> None:
        self._parts, self._grads = parts, grads
        device, dtype = grads.device, grads.dtype
        self._longest = column([s.clip_norm for s in settings], device, dtype)
        self._largest = column([s.clip_value for s in settings], device, dtype)
        self._scales = any(isfinite(s.clip_norm) for s in settings)
        self._clamps = any(isfinite(s.clip_value) for s in settings)
        self._unclipped = self._longest.isinf()
        self.needs_norms = self._scales or any(map(skips, settings))
        self.norms = torch.zeros(len(grads), device=device, dtype=torch.float64)

    def clip_(self) -> None:
        """Measure the gradient where a lane asks for it, then cut it off."""
        if self.needs_norms:
            # The norm of norms along the last axis: along another, or of all numbers at once, it has other bits.
            norms = torch.linalg.vector_norm(norms_of(self._parts), dim=1, keepdim=True)  # [K, 1]
            self.norms.copy_(norms[:, 0])
            if self._scales:
                scale = (norms + _ROOM).reciprocal_().mul_(self._longest).clamp_(max=1.0)
                # A lane that does not ask is left alone even where its norm is infinite.
                self._grads.mul_(scale.masked_fill_(self._unclipped, 1.0))
        if self._clamps:
            torch.clamp(self._grads, -self._largest, self._largest, out=self._grads)
