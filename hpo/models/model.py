"""A trained model: the network of one trial, a set of weights for each of its lanes, and what it expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError
from hpo.model import NetworkShape
from hpo.training import LaneSettings, SharedSettings, shape_of

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The weights of one lane.

    weights: [out, in] float32 of each layer, input side first; biases: [out] float32 of each
    extras: of each hidden layer, by the names of `NetworkShape.extras`
    """

    repeat: int
    fold: int
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    extras: Mapping[str, tuple[Floats, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The best weights of one trial and all that is needed to use them.

    n_classes: 0 for regression; positive: the class number that f1 is of, None for macro averages
    preprocessing: JSON types that repeat the preparation of rows, one entry per fold; empty when the
    model came straight from a worker, which does not know it (see `dataclasses.replace`)
    Raises DataError unless the weights fit the network.
    """

    number: int
    task: Task
    n_features: int
    n_classes: int
    shared: SharedSettings
    settings: LaneSettings
    lanes: tuple[Lane, ...]
    target_scaling: TargetScaling = field(default_factory=TargetScaling)
    positive: int | None = None
    preprocessing: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not self.lanes:
            raise DataError("a model has no weights")
        layers, extras = self.shape.layers, self.shape.extras
        for lane in self.lanes:
            found = tuple((w.shape[-1], *w.shape[:-1], *b.shape) for w, b in _pairs(lane))
            wanted = tuple((n_in, n_out, n_out) for n_in, n_out in layers)
            besides = {name: tuple(map(len, arrays)) for name, arrays in lane.extras.items()}
            if found != wanted or besides != extras:
                raise DataError(f"a model's weights do not fit its network {'-'.join(map(str, self.widths))}")

    @property
    def shape(self) -> NetworkShape:
        """The network of every lane."""
        return shape_of(self.shared, self.settings, self.n_features, self.n_classes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units from inputs to outputs."""
        shape = self.shape
        return (shape.n_inputs, *shape.hidden, shape.n_outputs)

    @property
    def n_folds(self) -> int:
        """Folds its lanes come from; each has an input preparation of its own."""
        return 1 + max(lane.fold for lane in self.lanes)

    def scaling_of(self, fold: int) -> TargetScaling:
        """How the target of a fold's rows was scaled."""
        if fold < len(self.preprocessing) and "target" in self.preprocessing[fold]:
            return TargetScaling(**self.preprocessing[fold]["target"]["scaling"])
        return self.target_scaling

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by number; their numbers where nobody told the names."""
        named = self.preprocessing[0].get("target", {}).get("classes") if self.preprocessing else None
        return tuple(named or map(str, range(self.n_classes)))


def _pairs(lane: Lane) -> list[tuple[Floats, Floats]]:
    if len(lane.weights) != len(lane.biases):
        raise DataError("a model has not as many biases as weights")
    return list(zip(lane.weights, lane.biases, strict=True))
