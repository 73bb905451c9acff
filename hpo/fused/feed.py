"""What an epoch feeds to its lanes: rows in training order and dropout noise, in memory that stays where it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo.fused.batches import DropoutNoise, batch_ends, last_full, row_order, rows_at_once
from hpo.fused.targets import Target

# A recording of more steps than this would take long to make and much memory.
STEPS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one step. x: [B, in]; noise: [B, width] for the inputs and each hidden layer, or None."""

    x: Tensor
    target: Target
    noise: tuple[Tensor | None, ...]


class Feed:
    """Gives out epochs in pieces: all of it at once unless its noise would not fit into memory.

    x: [n, in], target: the training rows; widths: of the inputs and of each hidden layer
    joined: see `batch_ends`
    A piece is a list of batches, which are the same views of the same memory in every epoch; they are
    overwritten by the next piece.
    """

    def __init__(
        self,
        x: Tensor,
        target: Target,
        widths: Sequence[int],
        *,
        batch_size: int,
        joined: bool,
        seed: int,
        repeat: int,
    ) -> None:
        self._x, self._target, self._widths = x, target, tuple(widths)
        self._seed, self._repeat = seed, repeat
        ends = batch_ends(len(x), batch_size, joined=joined)
        self.n_steps = len(ends)
        self.last_full = last_full(ends, batch_size)
        self.largest_batch = max(end - begin for begin, end in ends)
        at_once = max(1, min(rows_at_once(batch_size, widths) // batch_size, STEPS_AT_ONCE))
        self._pieces = [ends[i : i + at_once] for i in range(0, len(ends), at_once)]
        rows = max(piece[-1][1] - piece[0][0] for piece in self._pieces)
        self._rows = x.new_empty(rows, x.shape[1])
        self._rows_target = target.empty(rows)
        self._noise: list[Tensor | None] = [None] * len(self._widths)
        self._wanted: tuple[bool, ...] = (False,) * len(self._widths)
        self._batches: dict[int, list[Batch]] = {}

    def want(self, noise: Sequence[bool]) -> None:
        """From now on give noise for these layers, and for no others."""
        if tuple(noise) == self._wanted:
            return
        self._wanted = tuple(noise)
        self._batches.clear()
        for layer, (wanted, width) in enumerate(zip(noise, self._widths, strict=True)):
            if wanted and self._noise[layer] is None:
                self._noise[layer] = self._rows.new_empty(len(self._rows), width)

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """The pieces of an epoch (from 1)."""
        order = row_order(len(self._x), seed=self._seed, repeat=self._repeat, epoch=epoch).to(self._x.device)
        draw = DropoutNoise(self._widths, self._wanted, seed=self._seed, repeat=self._repeat, epoch=epoch)
        for piece in self._pieces:
            begin, end = piece[0][0], piece[-1][1]
            n = end - begin
            rows = order[begin:end]
            torch.index_select(self._x, 0, rows, out=self._rows[:n])
            self._target.copy_to(self._rows_target, rows)
            draw.fill([None if u is None else u[:n] for u in self._noise])
            yield self._views(piece)

    def _views(self, piece: Sequence[tuple[int, int]]) -> list[Batch]:
        first, last = piece[0][0], piece[-1][1]
        if last - first not in self._batches:
            self._batches[last - first] = [
                Batch(
                    self._rows[begin - first : end - first],
                    self._rows_target.part(begin - first, end - first),
                    tuple(
                        u[begin - first : end - first] if wanted and u is not None else None
                        for u, wanted in zip(self._noise, self._wanted, strict=True)
                    ),
                )
                for begin, end in piece
            ]
        return self._batches[last - first]
