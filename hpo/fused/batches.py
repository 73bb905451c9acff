"""The order of rows and the dropout noise of an epoch: drawn once, shared by all lanes of a repeat."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpo.seeds import lane_seed

# Numbers of noise drawn at once: enough to make drawing cheap, little enough for any memory.
NOISE_AT_ONCE = 4_000_000


def row_order(n_rows: int, *, seed: int, repeat: int, epoch: int) -> Tensor:
    """The order in which an epoch (from 1) reads the training rows, [n] int64."""
    generator = torch.Generator().manual_seed(lane_seed(seed, repeat, "order", 0, epoch))
    return torch.randperm(n_rows, generator=generator)


class DropoutNoise:
    """Uniform numbers for the inputs (layer 0) and each hidden layer of one epoch, batch after batch.

    A unit is kept where its number is below 1 - dropout, so a higher rate drops what a lower one does.
    widths: of each layer; wanted: whether any lane drops there
    """

    def __init__(
        self, widths: Sequence[int], wanted: Sequence[bool], *, seed: int, repeat: int, epoch: int
    ) -> None:
        self._widths = widths
        self._generators = [
            torch.Generator().manual_seed(lane_seed(seed, repeat, "dropout", layer, epoch)) if want else None
            for layer, want in enumerate(wanted)
        ]

    def take(self, n_rows: int) -> list[Tensor | None]:
        """The numbers of the next rows, [n, width] float32; None where not wanted.

        Taking rows in parts gives the same numbers as taking them at once.
        """
        return [
            None if generator is None else torch.rand(n_rows, width, generator=generator)
            for generator, width in zip(self._generators, self._widths, strict=True)
        ]

    def fill(self, into: Sequence[Tensor | None]) -> None:
        """The numbers of the next rows, written to [n, width] of any type and device, where they are wanted."""
        for generator, buffer in zip(self._generators, into, strict=True):
            if generator is None or buffer is None:
                continue
            if buffer.device.type == "cpu" and buffer.dtype == torch.float32:
                torch.rand(buffer.shape, generator=generator, out=buffer)
            else:
                buffer.copy_(torch.rand(buffer.shape, generator=generator))


def batch_ends(n_rows: int, batch_size: int, *, joined: bool = False) -> list[tuple[int, int]]:
    """(begin, end) of every batch; the last may be small.

    joined: a last batch of one row joins the one before, since one row alone has no variance

    >>> batch_ends(7, 3)
    [(0, 3), (3, 6), (6, 7)]
    >>> batch_ends(7, 3, joined=True)
    [(0, 3), (3, 7)]
    """
    ends = [(begin, min(begin + batch_size, n_rows)) for begin in range(0, n_rows, batch_size)]
    if joined and len(ends) > 1 and n_rows - ends[-1][0] == 1:
        ends[-2:] = [(ends[-2][0], n_rows)]
    return ends


def last_full(ends: Sequence[tuple[int, int]], batch_size: int) -> int:
    """The last batch that is not short of rows; the first where all are.

    >>> last_full([(0, 3), (3, 6), (6, 7)], 3), last_full([(0, 2)], 3)
    (1, 0)
    """
    return max((place for place, (begin, end) in enumerate(ends) if end - begin >= batch_size), default=0)


def rows_at_once(batch_size: int, widths: Sequence[int]) -> int:
    """How many rows, in whole batches, to draw noise for at once.

    >>> rows_at_once(64, [64, 64, 64]), rows_at_once(64, [1_000_000])
    (20800, 64)
    """
    return max(NOISE_AT_ONCE // sum(widths) // batch_size, 1) * batch_size
