"""What losses and metrics see of a pass over some rows."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(slots=True, kw_only=True)
class Outputs:
    """Of B rows: out, the logits, and out_grad, where their gradient goes, [K, B, C]; act: of each hidden layer, [K, B, H]."""

    rows: int
    out: Tensor
    out_grad: Tensor
    act: list[Tensor]
