"""The shape of a network: widths from inputs to outputs, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

# Keras's: what keeps batch norm's denominator from zero.
BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """A multilayer perceptron's widths.

    pieces: of maxout: a hidden layer has so many linear units for each of its own; else 1
    batch_norm: every linear unit of a hidden layer has a scale and a shift besides its bias
    prelu: every hidden layer has one learned slope

    >>> NetworkShape(64, (32, 16), 10).layers
    ((64, 32), (32, 16), (16, 10))
    >>> NetworkShape(64, (32, 16), 10).n_parameters
    2778
    >>> NetworkShape(64, (32,), 10, pieces=2, batch_norm=True).layers
    ((64, 64), (32, 10))
    """

    n_inputs: int
    hidden: tuple[int, ...]
    n_outputs: int
    pieces: int = 1
    batch_norm: bool = False
    prelu: bool = False

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each dense layer, input side first."""
        inputs = (self.n_inputs, *self.hidden)
        outputs = (*(width * self.pieces for width in self.hidden), self.n_outputs)
        return tuple(zip(inputs, outputs, strict=True))

    @property
    def extras(self) -> dict[str, tuple[int, ...]]:
        """What hidden layers have besides weights and biases, by name: how many numbers each layer.

        gamma, beta: batch norm's scale and shift; slope: prelu's; mean, variance: batch norm's running ones,
        which are not trained

        >>> NetworkShape(64, (32, 16), 10, prelu=True).extras
        {'slope': (1, 1)}
        """
        units = tuple(width * self.pieces for width in self.hidden)
        normed, sloped = (units if self.batch_norm else ()), ((1,) * len(units) if self.prelu else ())
        found = {"gamma": normed, "beta": normed, "slope": sloped, "mean": normed, "variance": normed}
        return {name: widths for name, widths in found.items() if widths}

    @property
    def n_parameters(self) -> int:
        """What training moves in one lane: weights, biases, scales and shifts, slopes."""
        linear = sum(n_in * n_out + n_out for n_in, n_out in self.layers)
        normed = 2 * self.pieces * sum(self.hidden) if self.batch_norm else 0
        return linear + normed + (len(self.hidden) if self.prelu else 0)

    @property
    def flops_per_row(self) -> int:
        """Floating-point operations of one row, forward and backward: 6 for each weight."""
        return 6 * sum(n_in * n_out for n_in, n_out in self.layers)


def rung_of(width: int) -> int:
    """The width that a hidden layer is padded to when many widths share a cohort: its own, never a neighbour's.

    The ladder is 4, 8, 12, then four rungs to each doubling, so at most a fifth of a lane is padding from
    16 units on.

    >>> [rung_of(width) for width in (1, 5, 16, 17, 50, 64, 65, 200)]
    [4, 8, 16, 20, 56, 64, 80, 224]
    """
    if width <= 16:
        return -(-width // 4) * 4
    step = 1 << ((width - 1).bit_length() - 3)
    return -(-width // step) * step
