"""A model as bytes and back: arrays as safetensors, everything else as JSON in its metadata."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError
from hpo.models.model import Lane, Model
from hpo.models.packed import put_back, taken_out
from hpo.training import LaneSettings, SharedSettings, shape_of

# Goes up when an older hpo could not read what this one writes. In 1 every lane had the widths all share; up to 2
# no model knew its preparation.
FORMAT = 3
_PLAIN = ("number", "n_features", "n_classes", "positive")


def to_bytes(model: Model) -> bytes:
    """The model as one safetensors file; the same model gives the same bytes."""
    about, arrays = described(model), tensors(model)
    data: bytes = save(arrays, metadata={"hpo": json.dumps(about, sort_keys=True)})
    return data


def described(model: Model) -> dict[str, Any]:
    """Everything about a model but its arrays, in JSON types."""
    return {
        "format": FORMAT,
        "task": model.task.value,
        "shared": dataclasses.asdict(model.shared),
        "settings": _finite(dataclasses.asdict(model.settings)),
        "target_scaling": dataclasses.asdict(model.target_scaling),
        "preprocessing": [
            taken_out(fold, f"fold{place}")[0] for place, fold in enumerate(model.preprocessing)
        ],
        "lanes": [[lane.repeat, lane.fold] for lane in model.lanes],
    } | {name: getattr(model, name) for name in _PLAIN}


def _finite(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is infinite, which is so unless it is said: JSON knows no infinity."""
    return {name: value for name, value in settings.items() if value != math.inf}


def tensors(model: Model) -> dict[str, NDArray[Any]]:
    """A model's arrays by name: weights in float32, those of its preparation in float64."""
    arrays: dict[str, NDArray[Any]] = {}
    for place, lane in enumerate(model.lanes):
        for what, of_layers in {"weight": lane.weights, "bias": lane.biases, **lane.extras}.items():
            for layer, array in enumerate(of_layers):
                arrays[_name(place, layer, what)] = np.ascontiguousarray(array, dtype=np.float32)
    for place, fold in enumerate(model.preprocessing):
        arrays |= taken_out(fold, f"fold{place}")[1]
    return arrays


def from_bytes(data: bytes) -> Model:
    """The model that `to_bytes` wrote. Raises DataError when the bytes are something else."""
    try:
        arrays = load(data)
        about = json.loads(_metadata(data)["hpo"])
        if about["format"] > FORMAT:
            raise DataError("the model was written by a newer version of hpo; upgrade to read it")
        return restored(about, arrays)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("this is not a model that hpo has written") from error


def _metadata(data: bytes) -> dict[str, str]:
    """A safetensors file begins with the length of its JSON header, 8 bytes, little end first."""
    end = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8:end])
    return header["__metadata__"]


def restored(about: Mapping[str, Any], arrays: Mapping[str, Any]) -> Model:
    """The model of a description and its arrays. Raises DataError, KeyError, TypeError, ValueError."""
    shared: dict[str, Any] = dict(about["shared"])
    settings: dict[str, Any] = dict(about["settings"])
    hidden = settings.get("hidden", shared["hidden"])
    shared_settings = SharedSettings(**shared | {"hidden": tuple(shared["hidden"])})
    lane_settings = LaneSettings(**settings | {"hidden": tuple(hidden)})
    shape = shape_of(shared_settings, lane_settings, about["n_features"], about["n_classes"])

    def of_layers(place: int, what: str, n: int) -> tuple[Any, ...]:
        return tuple(arrays[_name(place, layer, what)] for layer in range(n))

    lanes = tuple(
        Lane(
            repeat=repeat,
            fold=fold,
            weights=of_layers(place, "weight", len(shape.layers)),
            biases=of_layers(place, "bias", len(shape.layers)),
            extras={name: of_layers(place, name, len(widths)) for name, widths in shape.extras.items()},
        )
        for place, (repeat, fold) in enumerate(about["lanes"])
    )
    return Model(
        task=Task(about["task"]),
        shared=shared_settings,
        settings=lane_settings,
        target_scaling=TargetScaling(**about["target_scaling"]),
        preprocessing=tuple(put_back(fold, arrays) for fold in about["preprocessing"]),
        lanes=lanes,
        **{name: about[name] for name in _PLAIN},
    )


def _name(lane: int, layer: int, what: str) -> str:
    return f"lane{lane}.layer{layer}.{what}"
