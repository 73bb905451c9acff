"""Where a lane's weights, biases and the rest stand in its row of one flat storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.fused.device import ALIGN, round_up
from hpo.model import NetworkShape

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneWeights:
    """The weights of one lane, at its own widths.

    weights: [out, in] of each layer, input side first; biases: [out]
    extras: an array for each hidden layer, by the names of `NetworkShape.extras`
    """

    repeat: int
    fold: int
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    extras: Mapping[str, tuple[Floats, ...]] = field(default_factory=dict)

    @property
    def arrays(self) -> dict[str, tuple[Floats, ...]]:
        """All of them by name: weight, bias and the extras."""
        return {"weight": self.weights, "bias": self.biases, **self.extras}


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets into a row [P] that holds everything of one lane.

    Each layer's weights begin at a multiple of ALIGN, then all biases follow, then the extras of
    `LaneWeights`, those that are trained first: so every lane is aligned alike, an optimizer moves a lane
    as one vector, and L2 can leave out all but weights. Running means and variances have a gradient of 0.

    shape: with the widths that tensors have
    extra_at: by name, where each hidden layer's begins

    >>> Layout(NetworkShape(3, (5,), 2)).weight_at
    (0, 64)
    """

    shape: NetworkShape
    weight_at: tuple[int, ...] = field(init=False)
    bias_at: tuple[int, ...] = field(init=False)
    extra_at: Mapping[str, tuple[int, ...]] = field(init=False, hash=False)
    weights_end: int = field(init=False)
    width: int = field(init=False)

    def __post_init__(self) -> None:
        layers, at = self.shape.layers, 0

        def places(widths: Sequence[int]) -> tuple[int, ...]:
            nonlocal at
            found = []
            for width in widths:
                found.append(at)
                at += round_up(width, ALIGN)
            return tuple(found)

        weight_at, weights_end = places([n_in * n_out for n_in, n_out in layers]), at
        for name, value in (
            ("weight_at", weight_at),
            ("bias_at", places([n_out for _, n_out in layers])),
            ("extra_at", {name: places(widths) for name, widths in self.shape.extras.items()}),
            ("weights_end", weights_end),
            ("width", at),
        ):
            object.__setattr__(self, name, value)

    def empty(self, n_lanes: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """A storage of zeros, [K, P]."""
        return torch.zeros(n_lanes, self.width, device=device, dtype=dtype)

    def lanes_of(self, n_lanes: int) -> int:
        """How many lanes tensors must have to hold these: a lone one has a shadow, since torch multiplies
        a batch of one by other code, with other bits."""
        return max(n_lanes, 2)

    def rows(self, buffer: Tensor, n_lanes: int) -> Tensor:
        """The beginning of a flat buffer as a storage, [K, P]."""
        return buffer[: n_lanes * self.width].view(n_lanes, self.width)

    def pick(self, flat: Tensor, places: Tensor) -> Tensor:
        """A storage of its own with the lanes in these places."""
        return flat[places]

    def weights(self, flat: Tensor) -> list[Tensor]:
        """Views [K, out, in] of each layer's weights, input side first."""
        return [
            flat[:, at : at + n_in * n_out].view(-1, n_out, n_in)
            for at, (n_in, n_out) in zip(self.weight_at, self.shape.layers, strict=True)
        ]

    def biases(self, flat: Tensor) -> list[Tensor]:
        """Views [K, out] of each layer's biases."""
        return [
            flat[:, at : at + n_out] for at, (_, n_out) in zip(self.bias_at, self.shape.layers, strict=True)
        ]

    def extras(self, flat: Tensor) -> dict[str, list[Tensor]]:
        """Views [K, width] of what hidden layers have besides, by name; see `LaneWeights`."""
        return {
            name: [flat[:, at : at + width] for at, width in zip(self.extra_at[name], widths, strict=True)]
            for name, widths in self.shape.extras.items()
        }

    def lane(self, row: Tensor, repeat: int, fold: int, own: NetworkShape) -> LaneWeights:
        """One lane's row [P] as arrays of its own, cut to the widths it has of its own."""
        one = row.detach().cpu().unsqueeze(0)
        everything = self.own(one, own)
        return LaneWeights(
            repeat=repeat,
            fold=fold,
            weights=tuple(_array(w, 2) for w in everything.pop("weight")),
            biases=tuple(_array(b, 1) for b in everything.pop("bias")),
            extras={name: tuple(_array(e, 1) for e in views) for name, views in everything.items()},
        )

    def put(self, row: Tensor, lane: LaneWeights, own: NetworkShape) -> None:
        """Write what `lane` gave into a row of zeros."""
        for name, views in self.own(row.unsqueeze(0), own).items():
            for view, array in zip(views, lane.arrays[name], strict=True):
                view.copy_(torch.from_numpy(array).view(view.shape))

    def own(self, flat: Tensor, own: NetworkShape) -> dict[str, list[Tensor]]:
        """Views of what is not padding in rows of lanes of one shape, by name: weight, bias and the extras.

        Weights are [K, pieces, out, in], the rest [K, pieces, out] ([K, 1, 1] for slopes): a lane of
        smaller widths stands in the corner of each of maxout's pieces.
        """
        n_hidden, wanted = len(own.hidden), own.extras
        pieces = [own.pieces] * n_hidden + [1]
        outputs, inputs = (*own.hidden, own.n_outputs), (own.n_inputs, *own.hidden)
        views = {
            "weight": [
                w.view(len(w), p, -1, w.shape[2])[:, :, :n_out, :n_in]
                for w, p, n_out, n_in in zip(self.weights(flat), pieces, outputs, inputs, strict=True)
            ],
            "bias": [
                b.view(len(b), p, -1)[:, :, :n_out]
                for b, p, n_out in zip(self.biases(flat), pieces, outputs, strict=True)
            ],
        }
        for name, parts in self.extras(flat).items():
            if name in wanted:
                p = 1 if name == "slope" else own.pieces
                views[name] = [
                    part.view(len(part), p, -1)[:, :, : width // p]
                    for part, width in zip(parts, wanted[name], strict=True)
                ]
        return views


# Where training begins, by the names of `NetworkShape.extras`.
FIRST_EXTRAS = {"gamma": 1.0, "beta": 0.0, "slope": 0.25, "mean": 0.0, "variance": 1.0}


def _array(view: Tensor, n_axes: int) -> Floats:
    """A view [1, pieces, out, ...] as an array [pieces * out, ...] of its own."""
    array: Floats = view[0].flatten(0, 1).numpy().copy() if n_axes == 2 else view.flatten().numpy().copy()
    return array
