"""The order of rows and the dropout noise of an epoch: drawn once, shared by all lanes of a repeat."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpo.seeds import lane_seed


def row_order(n_rows: int, *, seed: int, repeat: int, epoch: int) -> Tensor:
    """The order in which an epoch (from 1) reads the training rows, [n] int64."""
    generator = torch.Generator().manual_seed(lane_seed(seed, repeat, "order", 0, epoch))
    return torch.randperm(n_rows, generator=generator)


def dropout_noise(
    n_rows: int, widths: Sequence[int], wanted: Sequence[bool], *, seed: int, repeat: int, epoch: int
) -> list[Tensor | None]:
    """Uniform numbers [n, width] float32 for the inputs (entry 0) and each hidden layer; None where not wanted.

    A unit is kept where its number is below 1 - dropout, so a higher rate drops what a lower one does.
    """
    noise: list[Tensor | None] = []
    for layer, (width, want) in enumerate(zip(widths, wanted, strict=True)):
        generator = torch.Generator().manual_seed(lane_seed(seed, repeat, "dropout", layer, epoch))
        noise.append(torch.rand(n_rows, width, generator=generator) if want else None)
    return noise


def batch_ends(n_rows: int, batch_size: int) -> list[tuple[int, int]]:
    """(begin, end) of every batch; the last may be small.

    >>> batch_ends(7, 3)
    [(0, 3), (3, 6), (6, 7)]
    """
    return [(begin, min(begin + batch_size, n_rows)) for begin in range(0, n_rows, batch_size)]
