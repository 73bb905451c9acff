"""The shape of a network: widths from inputs to outputs, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """A multilayer perceptron's widths.

    >>> NetworkShape(64, (32, 16), 10).layers
    ((64, 32), (32, 16), (16, 10))
    >>> NetworkShape(64, (32, 16), 10).n_parameters
    2778
    """

    n_inputs: int
    hidden: tuple[int, ...]
    n_outputs: int

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each dense layer, input side first."""
        widths = (self.n_inputs, *self.hidden, self.n_outputs)
        return tuple(pairwise(widths))

    @property
    def n_parameters(self) -> int:
        """Weights and biases of one lane."""
        return sum(n_in * n_out + n_out for n_in, n_out in self.layers)

    @property
    def flops_per_row(self) -> int:
        """Floating-point operations of one row, forward and backward: 6 for each weight."""
        return 6 * sum(n_in * n_out for n_in, n_out in self.layers)
