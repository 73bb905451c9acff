"""Where a tiny network's weights stand in a storage whose last axis in memory is the lane."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpo.fused.device import ALIGN, round_up
from hpo.fused.layers import Layout


class TinyLayout(Layout):
    """A storage is [P, K] in memory and handed out as its transpose, [K, P].

    One number of all lanes stands in one stretch, so nothing in a row need be aligned; instead K is
    rounded up. A layer's weights are [in, out, K].
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        layers, at = self.shape.layers, 0

        def places(widths: Sequence[int]) -> tuple[int, ...]:
            nonlocal at
            found = []
            for width in widths:
                found.append(at)
                at += width
            return tuple(found)

        sizes = [n_in * n_out for n_in, n_out in layers]
        weight_at, weights_end = places(sizes), at
        for name, value in (
            ("weight_at", weight_at),
            ("bias_at", places([n_out for _, n_out in layers])),
            ("extra_at", {name: places(widths) for name, widths in self.shape.extras.items()}),
            ("weights_end", weights_end),
            ("width", at),
        ):
            object.__setattr__(self, name, value)

    def lanes_of(self, n_lanes: int) -> int:
        """How many lanes tensors must have to hold these: whole blocks, so that every lane is in one."""
        return round_up(n_lanes, ALIGN)

    def rows(self, buffer: Tensor, n_lanes: int) -> Tensor:
        """The beginning of a flat buffer as a storage, [K, P]."""
        return buffer[: n_lanes * self.width].view(self.width, n_lanes).t()

    def empty(self, n_lanes: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """A storage of zeros, [K, P]."""
        return torch.zeros(self.width, n_lanes, device=device, dtype=dtype).t()

    def pick(self, flat: Tensor, places: Tensor) -> Tensor:
        """A storage of its own with the lanes in these places."""
        return flat.t().index_select(1, places).t()

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views [K, out, in] of each layer's weights, input side first."""
        return [
            flat[:, at : at + n_in * n_out].view(-1, n_in, n_out).transpose(1, 2)
            for at, (n_in, n_out) in zip(self.weight_at, self.shape.layers, strict=True)
        ]
