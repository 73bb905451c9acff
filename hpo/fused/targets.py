"""The targets of some rows, and how much a row counts when classes are balanced."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(slots=True)
class Target:
    """The targets of some rows: y [n] in the outputs' dtype, labels [n] int64 for classes.

    weight: [n], of each row's class; None when all count alike
    """

    y: Tensor
    labels: Tensor
    weight: Tensor | None = None

    def empty(self, rows: int) -> Target:
        """Memory for the targets of so many other rows."""
        weight = None if self.weight is None else self.weight.new_empty(rows)
        return Target(self.y.new_empty(rows), self.labels.new_empty(rows), weight)

    def copy_to(self, other: Target, rows: Tensor) -> None:
        """Write the targets of these rows to the front of another."""
        for mine, its in (
            (self.y, other.y),
            (self.labels, other.labels),
            (self.weight, other.weight),
        ):
            if mine is not None and its is not None:
                torch.index_select(mine, 0, rows, out=its[: len(rows)])

    def part(self, begin: int, end: int) -> Target:
        """The targets from begin to before end, as views."""
        weight = None if self.weight is None else self.weight[begin:end]
        return Target(self.y[begin:end], self.labels[begin:end], weight)

    def split(self, size: int) -> list[Target]:
        """Parts of `size` rows; the last may be small."""
        n = len(self.y)
        return [self.part(begin, min(begin + size, n)) for begin in range(0, n, size)]


def balanced_weights(labels: Tensor, n_classes: int) -> Tensor:
    """n / (C n_c) for each class, [C] float64, as scikit-learn's `balanced`; labels: of the training rows.

    C counts the classes that occur, so that rows weigh 1 on average; a class without a row weighs 1.
    """
    counts = torch.bincount(labels, minlength=n_classes).double()
    weights = len(labels) / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, weights, 1.0)
