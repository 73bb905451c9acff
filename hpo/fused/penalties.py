"""L1 and L2 on weights, never on biases: they enter the gradient, as Keras and torch's weight_decay do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpo.fused.device import column
from hpo.training import LaneSettings


class Penalties:
    """Adds each lane's lambda |w| and lambda/2 w² to the gradient.

    The order is that of plain torch: L1 belongs to the loss, L2 is the optimizer's weight decay.
    """

    def __init__(self, settings: Sequence[LaneSettings], like: Tensor) -> None:
        self._l1 = column([s.l1 for s in settings], like.device, like.dtype).unsqueeze(2)
        self._l2 = column([s.l2 for s in settings], like.device, like.dtype).unsqueeze(2)
        self._has_l1, self._has_l2 = any(s.l1 for s in settings), any(s.l2 for s in settings)

    def write(self, raw: Tensor, weight: Tensor, out: Tensor) -> None:
        """Write one layer's gradient with penalties to `out`; raw is used up. All [K, out, in]."""
        if self._has_l1:
            raw.addcmul_(torch.sign(weight), self._l1)
        if self._has_l2:
            torch.addcmul(raw, weight, self._l2, out=out)
        else:
            out.copy_(raw)
