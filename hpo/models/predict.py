"""Predict with a trained model in numpy: class probabilities, classes, or values in the target's own unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError, lookup
from hpo.model import BATCH_NORM_EPSILON
from hpo.models.model import Floats, Lane, Model
from hpo.training import LaneSettings


def _sigmoid(x: Floats) -> Floats:
    # exp of a large positive number overflows, so each half of the axis has its own formula.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def _softmax(x: Floats) -> Floats:
    exp: Floats = np.exp(x - x.max(axis=1, keepdims=True))
    total: Floats = exp.sum(axis=1, keepdims=True)
    return exp / total


def _erf(x: Floats) -> Floats:
    """The error function to 1.5e-7: Abramowitz and Stegun, 7.1.26, in doubles."""
    t = 1 / (1 + 0.3275911 * np.abs(x.astype(np.float64)))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    found: Floats = (np.sign(x) * (1 - poly * np.exp(-np.square(x, dtype=np.float64)))).astype(np.float32)
    return found


def _gelu(x: Floats) -> Floats:
    return (x * (1 + _erf(x / np.sqrt(np.float32(2)))) / 2).astype(np.float32)


def _softplus(x: Floats) -> Floats:
    found: Floats = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return found


def _elu(x: Floats, alpha: float, scale: float = 1.0) -> Floats:
    found: Floats = np.float32(scale) * np.where(x > 0, x, np.float32(alpha) * np.expm1(np.minimum(x, 0)))
    return found


def _leaky_relu(x: Floats, slope: float) -> Floats:
    return np.where(x > 0, x, np.float32(slope) * x)


@dataclass(frozen=True, slots=True)
class Knobs:
    """What an activation reads besides its input: settings, prelu's slope in this layer, maxout's pieces."""

    settings: LaneSettings
    slope: float
    pieces: int


ACTIVATIONS: dict[str, Callable[[Floats, Knobs], Floats]] = {
    "linear": lambda x, knobs: x,
    "sigmoid": lambda x, knobs: _sigmoid(x),
    "tanh": lambda x, knobs: np.tanh(x),
    "relu": lambda x, knobs: np.maximum(x, 0),
    "leaky_relu": lambda x, knobs: _leaky_relu(x, knobs.settings.negative_slope),
    "prelu": lambda x, knobs: _leaky_relu(x, knobs.slope),
    "elu": lambda x, knobs: _elu(x, knobs.settings.elu_alpha),
    "maxout": lambda x, knobs: x.reshape(len(x), knobs.pieces, -1).max(axis=1),
    "gelu": lambda x, knobs: _gelu(x),
    "silu": lambda x, knobs: x * _sigmoid(x),
    "selu": lambda x, knobs: _elu(x, 1.6732632423543772, 1.0507009873554805),
    "softplus": lambda x, knobs: _softplus(x),
    "mish": lambda x, knobs: x * np.tanh(_softplus(x)),
}


def outputs(model: Model, lane: Lane, x: Floats) -> Floats:
    """What the last layer of one lane gives, [n, outputs], before softmax or sigmoid.

    x: [n, features], prepared as the lane's training rows were. Raises DataError, UnknownName.
    """
    if x.ndim != 2 or x.shape[1] != model.n_features:
        raise DataError(f"the model takes rows of {model.n_features} numbers, got an array {x.shape}")
    activate = lookup(ACTIVATIONS, model.settings.activation, "activation")
    x = np.asarray(x, dtype=np.float32)
    for layer, (weights, biases) in enumerate(zip(lane.weights[:-1], lane.biases[:-1], strict=True)):
        of_layer = {name: arrays[layer] for name, arrays in lane.extras.items()}
        knobs = Knobs(model.settings, float(of_layer.get("slope", [0.0])[0]), model.shape.pieces)
        x = activate(_normalised(x @ weights.T + biases, of_layer), knobs)
    return x @ lane.weights[-1].T + lane.biases[-1]


def _normalised(z: Floats, of_layer: Mapping[str, Floats]) -> Floats:
    """What batch norm makes of a layer's linear units, by its running statistics; z itself without any."""
    if "gamma" not in of_layer:
        return z
    scale = of_layer["gamma"] / np.sqrt(of_layer["variance"] + np.float32(BATCH_NORM_EPSILON))
    found: Floats = (z - of_layer["mean"]) * scale + of_layer["beta"]
    return found


def probabilities(model: Model, x: Sequence[Floats]) -> Floats:
    """The probability of each class, [n, classes] float32, mean over the lanes.

    x: the rows as each fold prepares them, [n, features] each; one entry without folds.
    Raises DataError, also for a regression model.
    """
    if model.task is not Task.CLASSIFICATION:
        raise DataError("a regression model has no class probabilities")
    return _mean([_class_probabilities(model, z) for z in _all_outputs(model, x)])


def predict(model: Model, x: Sequence[Floats]) -> NDArray[np.float32] | NDArray[np.int64]:
    """The likeliest class number of each row, [n] int64, or its value in the target's own unit, [n] float32.

    x: as for `probabilities`. Of equally likely classes the first is taken. Raises DataError.
    """
    if model.task is Task.CLASSIFICATION:
        classes: NDArray[np.int64] = probabilities(model, x).argmax(axis=1)
        return classes
    found = zip(_all_outputs(model, x), model.lanes, strict=True)
    return _mean([_unscaled(z[:, 0], model.scaling_of(lane.fold)) for z, lane in found])


def log_probabilities(model: Model, x: Sequence[Floats]) -> NDArray[np.float64]:
    """The logarithms of `probabilities`, [n, classes], exact where a probability is too small for a float32."""
    lanes = np.stack([_log_probabilities(model, z) for z in _all_outputs(model, x)])  # [L, n, C]
    if len(lanes) == 1:
        return np.asarray(lanes[0], dtype=np.float64)
    high = lanes.max(axis=0)
    return np.asarray(high + np.log(np.exp(lanes - high).mean(axis=0)), dtype=np.float64)


def _all_outputs(model: Model, x: Sequence[Floats]) -> list[Floats]:
    if len(x) != model.n_folds:
        raise DataError(f"the model wants rows prepared for {model.n_folds} folds, got {len(x)}")
    return [outputs(model, lane, x[lane.fold]) for lane in model.lanes]


def _class_probabilities(model: Model, z: Floats) -> Floats:
    if model.shared.loss == "cross_entropy":
        return _softmax(z)
    # Both from the output itself: 1 - p has no digits left when p is nearly 1.
    return np.concatenate([_sigmoid(-z), _sigmoid(z)], axis=1)


def _log_probabilities(model: Model, z: Floats) -> NDArray[np.float64]:
    z64 = z.astype(np.float64)
    if model.shared.loss == "cross_entropy":
        shifted = z64 - z64.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
    # log sigmoid(z) = -log(1 + exp(-z)), of both classes.
    return np.asarray(-np.logaddexp(0, np.concatenate([z64, -z64], axis=1)), dtype=np.float64)


def _mean(lanes: Sequence[Floats]) -> Floats:
    mean: NDArray[np.float64] = np.stack(lanes).mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def _unscaled(y: Floats, scaling: TargetScaling) -> Floats:
    """From scaled = (f(y) - mean) / scale back to y, in doubles: expm1 magnifies rounding."""
    value = y.astype(np.float64) * scaling.scale + scaling.mean
    return (np.expm1(value) if scaling.kind == "log1p" else value).astype(np.float32)
