"""The products of dense layers, all lanes in one call: one way that keeps a lane's bits, one that is quick."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from hpo.fused.device import Memory

# A layer that reads the same rows in all lanes is one large product from so many weights on; below, its
# result is moved about for longer than the larger product saves.
LARGE_LAYER = 2**14
# Where a layer's width is no multiple of 16, MKL is a tenth to a fifth quicker with the rows as the product's
# columns. Within these limits that had the same bits in 7,049 of 7,049 shapes on AMD (Zen 5), below them not; on Intel
# (Sapphire Rapids) it has others here, too. So a product is turned only where a first look finds the same bits.
TURNED_INPUTS, TURNED_OUTPUTS, TURNED_ROWS = 512, range(17, 129), 32


class Products:
    """Products with the weights where they lie, [K, out, in] each: the bits of a lane are those it has alone.

    A product may only be written to contiguous memory: MKL's batched call is lost otherwise.
    """

    def __init__(self, weights: Sequence[Tensor], memory: Memory, rows: int) -> None:
        self._weights = weights
        self._weights_t = [w.transpose(1, 2) for w in weights]
        self._shapes = [(w.shape[2], w.shape[1]) for w in weights]
        self._may_turn = [memory.device.type == "cpu" and may_turn(*shape) for shape in self._shapes]
        turned = [w.shape[0] * w.shape[1] for w, turns in zip(weights, self._may_turn, strict=True) if turns]
        self._turned = memory.flat("turned", max(turned, default=0) * rows)

    def weights_changed(self) -> None:
        """To be told before weights that were written to are used."""

    def forward(self, layer: int, bias: Tensor, h: Tensor, out: Tensor) -> None:
        """Write bias + h @ weightsᵀ. bias: [K, 1, out]; h: [K, B, in]; out: [K, B, out]."""
        n_lanes, rows, n_out = out.shape
        if self._may_turn[layer] and keeps_bits(*self._shapes[layer], rows):
            turned = self._turned[: out.numel()].view(n_lanes, n_out, rows)
            torch.baddbmm(bias.transpose(1, 2), self._weights[layer], h.transpose(1, 2), out=turned)
            out.copy_(turned.transpose(1, 2))
        else:
            torch.baddbmm(bias, h, self._weights_t[layer], out=out)

    def weight_gradient(self, layer: int, g: Tensor, h: Tensor, out: Tensor) -> None:
        """Write gᵀ @ h, [K, out, in]."""
        torch.bmm(g.transpose(1, 2), h, out=out)

    def input_gradient(self, layer: int, g: Tensor, out: Tensor) -> None:
        """Write g @ weights, [K, B, in]."""
        torch.bmm(g, self._weights[layer], out=out)


def may_turn(n_in: int, n_out: int) -> bool:
    """Whether a layer would be quicker with the rows as columns.

    >>> may_turn(3072, 50), may_turn(784, 128), may_turn(64, 50)
    (True, False, False)
    """
    return n_in >= TURNED_INPUTS and n_out in TURNED_OUTPUTS and n_out % 16 != 0


@cache
def keeps_bits(n_in: int, n_out: int, rows: int) -> bool:
    """Whether this processor gives a layer of so many rows the same bits with the rows as columns: made numbers tell."""
    if rows < TURNED_ROWS:
        return False
    made = torch.Generator().manual_seed(0)
    h, weights, bias = (
        torch.randn(shape, generator=made) for shape in ((2, rows, n_in), (2, n_out, n_in), (2, 1, n_out))
    )
    straight = torch.baddbmm(bias, h, weights.transpose(1, 2))
    turned = torch.baddbmm(bias.transpose(1, 2), weights, h.transpose(1, 2))
    return torch.equal(straight, turned.transpose(1, 2))


class FastProducts(Products):
    """For oneDNN, which is slow with weights that do not adjoin: they are copied together first.

    A first layer whose inputs are one for all lanes is a single product, [B, in] with [in, K * out], if it is
    large; a small one gets a copy of them for each lane, or oneDNN makes one at each call, in fresh memory.
    """

    def __init__(self, weights: Sequence[Tensor], memory: Memory, rows: int) -> None:
        super().__init__(weights, memory, rows)
        self._copies = [
            memory.flat(f"copy{i}", w.numel())[: w.numel()].view(w.shape) for i, w in enumerate(weights)
        ]
        self._copies_t = [copy.transpose(1, 2) for copy in self._copies]
        n_lanes, n_out, n_in = weights[0].shape
        self._one_product = n_out * n_in >= LARGE_LAYER
        self._wide = memory.flat("wide", n_lanes * n_out * rows if self._one_product else 0)
        self._spread = memory.flat("spread", 0 if self._one_product else n_lanes * n_in * rows)

    def _is_shared(self, layer: int, h: Tensor) -> bool:
        return layer == 0 and h.stride(0) == 0

    def _spread_of(self, h: Tensor) -> Tensor:
        return self._spread[: h.numel()].view(h.shape)

    def weights_changed(self) -> None:
        """Copy them again."""
        for copy, weights in zip(self._copies, self._weights, strict=True):
            copy.copy_(weights)

    def forward(self, layer: int, bias: Tensor, h: Tensor, out: Tensor) -> None:
        """Write bias + h @ weightsᵀ."""
        shared = self._is_shared(layer, h)
        if not (shared and self._one_product):
            h = self._spread_of(h).copy_(h) if shared else h
            torch.baddbmm(bias, h, self._copies_t[layer], out=out)
            return
        n_lanes, rows, n_out = out.shape
        wide = self._wide[: out.numel()].view(rows, n_lanes * n_out)
        torch.mm(h[0], self._copies[layer].flatten(0, 1).t(), out=wide)
        torch.add(wide.view(rows, n_lanes, n_out).transpose(0, 1), bias, out=out)

    def weight_gradient(self, layer: int, g: Tensor, h: Tensor, out: Tensor) -> None:
        """Write gᵀ @ h, [K, out, in]; h is that of the last `forward`."""
        shared = self._is_shared(layer, h)
        if not (shared and self._one_product):
            super().weight_gradient(layer, g, self._spread_of(h) if shared else h, out)
            return
        n_lanes, rows, n_out = g.shape
        wide = self._wide[: g.numel()].view(n_lanes, n_out, rows)
        wide.copy_(g.transpose(1, 2))
        torch.mm(wide.flatten(0, 1), h[0], out=out.flatten(0, 1))

    def input_gradient(self, layer: int, g: Tensor, out: Tensor) -> None:
        """Write g @ weights, [K, B, in]."""
        torch.bmm(g, self._copies[layer], out=out)
