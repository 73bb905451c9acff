"""The two ways to compute lanes: the lane first in memory or, for tiny networks on a CPU, last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from hpo.fused.layers import Layout
from hpo.fused.losses import LOSSES, MakeLoss
from hpo.fused.network import Network
from hpo.fused.penalties import Penalties
from hpo.fused.tiny_layout import TinyLayout
from hpo.fused.tiny_network import TinyNetwork
from hpo.model import NetworkShape

# A layer with fewer products than this a step, or with one output, has not the bits of plain torch,
# which takes other kernels there: only networks with such a layer may be computed with the lane last.
FEWEST_PRODUCTS = 400
# Up to here the lane last was faster, by processor time at 256 and 1,024 lanes: 2 to 2.5 times for 7-8-1 and
# 7-16-1 and 1.2 times for 7-22-22-1 in batches of 10, not for 7-32-32-1 nor for 7-16-16-1 in batches of 32.
MOST_WEIGHTS, MOST_PARAMETERS, MOST_PRODUCTS = 512, 2_000, 7_500


class AnyNetwork(Protocol):
    """K lanes of one shape, whichever axis comes first in memory; all tensors are views [K, ...]."""

    grads: Tensor
    weights: list[Tensor]
    biases: list[Tensor]
    weight_grads: list[Tensor]

    @property
    def parameter_grads(self) -> list[Tensor]:
        """The gradient of every parameter."""

    def weights_changed(self) -> None:
        """To be told before weights that were written to are used."""

    @property
    def drops(self) -> list[bool]:
        """Whether any lane drops inputs (first entry) or units of each hidden layer."""

    def forward(self, x: Tensor, noise: Sequence[Tensor | None] | None = None) -> Any:
        """The outputs for rows x [B, in]; noise is given when training."""

    def backward(self, p: Any, penalties: Penalties) -> None:
        """From `out_grad` of a pass to the gradient of loss and penalties, in `grads`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What storage, networks and losses of some lanes are made by; validation_rows: how many go through at once.

    A block of validation rows must not depend on the cohort, and is best when its activations fit a cache.
    """

    layout: type[Layout]
    network: Callable[..., AnyNetwork]
    losses: Mapping[str, MakeLoss]
    validation_rows: int


LANE_FIRST = Engine(layout=Layout, network=Network, losses=LOSSES, validation_rows=128)
LANE_LAST = Engine(layout=TinyLayout, network=TinyNetwork, losses=LOSSES, validation_rows=32)


def engine_of(shape: NetworkShape, batch: int, device: str) -> Engine:
    """The engine for lanes of this shape: a rule of the lane alone, so that neighbours change nothing."""
    largest = max(n_in * n_out for n_in, n_out in shape.layers)
    small = (
        largest <= MOST_WEIGHTS and largest * batch <= MOST_PRODUCTS and shape.n_parameters <= MOST_PARAMETERS
    )
    has_bits = shape.n_outputs > 1 and all(
        n_in * n_out * batch >= FEWEST_PRODUCTS for n_in, n_out in shape.layers
    )
    return LANE_LAST if small and not has_bits and device == "cpu" else LANE_FIRST
