"""Where a lane's weights and biases stand in its row of one flat storage."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.fused.device import ALIGN, round_up
from hpo.model import NetworkShape

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneWeights:
    """The weights of one lane. weights: [out, in] of each layer, input side first; biases: [out]."""

    repeat: int
    fold: int
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets into a row [P] that holds every weight and bias of one lane.

    Each layer's weights begin at a multiple of ALIGN, then all biases follow, then padding: so every
    lane is aligned alike, an optimizer moves a lane as one vector, and L2 can leave biases out.

    >>> Layout(NetworkShape(3, (5,), 2)).weight_at
    (0, 64)
    """

    shape: NetworkShape
    weight_at: tuple[int, ...] = field(init=False)
    bias_at: tuple[int, ...] = field(init=False)
    weights_end: int = field(init=False)
    width: int = field(init=False)

    def __post_init__(self) -> None:
        weight_at, at = [], 0
        for n_in, n_out in self.shape.layers:
            weight_at.append(at)
            at += round_up(n_in * n_out, ALIGN)
        weights_end, bias_at = at, []
        for _, n_out in self.shape.layers:
            bias_at.append(at)
            at += round_up(n_out, ALIGN)
        for name, value in (
            ("weight_at", tuple(weight_at)),
            ("bias_at", tuple(bias_at)),
            ("weights_end", weights_end),
            ("width", at),
        ):
            object.__setattr__(self, name, value)

    def empty(self, n_lanes: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """A storage of zeros, [K, P]."""
        return torch.zeros(n_lanes, self.width, device=device, dtype=dtype)

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views [K, out, in] of each layer's weights, input side first."""
        return [
            flat[:, at : at + n_in * n_out].view(-1, n_out, n_in)
            for at, (n_in, n_out) in zip(self.weight_at, self.shape.layers, strict=True)
        ]

    def biases(self, flat: Tensor) -> list[Tensor]:
        """Views [K, out] of each layer's biases."""
        return [
            flat[:, at : at + n_out] for at, (_, n_out) in zip(self.bias_at, self.shape.layers, strict=True)
        ]

    def lane(self, row: Tensor, repeat: int, fold: int) -> LaneWeights:
        """One lane's row [P] as arrays of its own."""
        one = row.detach().cpu().unsqueeze(0)
        return LaneWeights(
            repeat=repeat,
            fold=fold,
            weights=tuple(w[0].numpy().copy() for w in self.weights(one)),
            biases=tuple(b[0].numpy().copy() for b in self.biases(one)),
        )
