"""Predict with a trained model in numpy: class probabilities, classes, or values in the target's own unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError, lookup
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


def _elu(x: Floats, settings: LaneSettings) -> Floats:
    return np.where(x > 0, x, np.float32(settings.elu_alpha) * np.expm1(np.minimum(x, 0)))


def _leaky_relu(x: Floats, settings: LaneSettings) -> Floats:
    return np.where(x > 0, x, np.float32(settings.negative_slope) * x)


ACTIVATIONS: dict[str, Callable[[Floats, LaneSettings], Floats]] = {
    "linear": lambda x, settings: x,
    "sigmoid": lambda x, settings: _sigmoid(x),
    "tanh": lambda x, settings: np.tanh(x),
    "relu": lambda x, settings: np.maximum(x, 0),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
}


def outputs(model: Model, lane: Lane, x: Floats) -> Floats:
    """What the last layer of one lane gives, [n, outputs], before softmax or sigmoid.

    x: [n, features], prepared as the lane's training rows were. Raises DataError, UnknownName.
    """
    if x.ndim != 2 or x.shape[1] != model.n_features:
        raise DataError(f"the model takes rows of {model.n_features} numbers, got an array {x.shape}")
    activate = lookup(ACTIVATIONS, model.settings.activation, "activation")
    x = np.asarray(x, dtype=np.float32)
    for weights, biases in zip(lane.weights[:-1], lane.biases[:-1], strict=True):
        x = activate(x @ weights.T + biases, model.settings)
    return x @ lane.weights[-1].T + lane.biases[-1]


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
    return _mean([_unscaled(z[:, 0], model.target_scaling) for z in _all_outputs(model, x)])


def _all_outputs(model: Model, x: Sequence[Floats]) -> list[Floats]:
    if len(x) != model.n_folds:
        raise DataError(f"the model wants rows prepared for {model.n_folds} folds, got {len(x)}")
    return [outputs(model, lane, x[lane.fold]) for lane in model.lanes]


def _class_probabilities(model: Model, z: Floats) -> Floats:
    if model.shared.loss == "cross_entropy":
        return _softmax(z)
    # Both from the output itself: 1 - p has no digits left when p is nearly 1.
    return np.concatenate([_sigmoid(-z), _sigmoid(z)], axis=1)


def _mean(lanes: Sequence[Floats]) -> Floats:
    mean: NDArray[np.float64] = np.stack(lanes).mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def _unscaled(y: Floats, scaling: TargetScaling) -> Floats:
    """From scaled = (f(y) - mean) / scale back to y, in doubles: expm1 magnifies rounding."""
    value = y.astype(np.float64) * scaling.scale + scaling.mean
    return (np.expm1(value) if scaling.kind == "log1p" else value).astype(np.float32)
