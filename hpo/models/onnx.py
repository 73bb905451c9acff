"""A model as one ONNX graph: raw columns in, prediction and probabilities out, everything in between inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError, lookup
from hpo.model import BATCH_NORM_EPSILON
from hpo.models.graph import DOUBLE, FLOAT, INT64, PREFIX, STRING, Graph
from hpo.models.model import Lane
from hpo.models.onnx_inputs import Inputs
from hpo.models.preparing import DATE, InputColumn
from hpo.models.raw import MISSING_WORDS
from hpo.models.saved import SavedModel

MAX_BYTES = 2**31 - 1  # what one protobuf message holds
IMAGES = "images"
RESERVED = ("prediction", "probabilities", IMAGES)


def to_onnx(saved: SavedModel) -> bytes:
    """The model as the bytes of an ONNX file, checked by onnx itself. Raises DataError when it does not fit into one.

    Inputs, each [n]: one float32 for each number (NaN: missing) and date (days since 1970-01-01), one string for
    each category ("": missing), by their columns' names; for images one float32 tensor `images` [n, pixels].
    Outputs: `prediction` [n], the class as a string or the value as a float32; `probabilities` [n, classes].
    """
    graph = Graph()
    model, names = saved.model, input_names(saved.columns)
    inputs = Inputs(
        graph=graph,
        columns=_inputs(graph, saved, names),
        images=bool(model.preprocessing[0].get("images")),
        missing=[word for word in MISSING_WORDS if word not in saved.keep_missing],
    )
    folds = {fold: inputs.prepared(record) for fold, record in enumerate(model.preprocessing)}
    outs = [_lane(graph, saved, place, folds[lane.fold]) for place, lane in enumerate(model.lanes)]
    mean = outs[0] if len(outs) == 1 else graph.add("Mean", *outs)
    outputs = _outputs(graph, saved, mean)
    made = graph.model("hpo", outputs, _notes(saved, names))
    if made.ByteSize() > MAX_BYTES:
        raise DataError("the model is larger than the 2 GiB that an ONNX file may have")
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def input_names(columns: Sequence[InputColumn]) -> dict[str, str]:
    """What each column's input is called: as the column, but for names that the graph needs itself."""
    taken = {column.name for column in columns}
    names = {}
    for column in columns:
        name = column.name
        while (
            not name or name in RESERVED or name.startswith(PREFIX) or (name != column.name and name in taken)
        ):
            name = f"column_{name}"
        names[column.name] = name
    return names


def _inputs(graph: Graph, saved: SavedModel, names: Mapping[str, str]) -> dict[str, str]:
    """The tensor of each column, [n]; of images one [n, pixels] by the name `images`."""
    if saved.model.preprocessing[0].get("images"):
        n_pixels = len(saved.model.preprocessing[0]["numbers"])
        return {IMAGES: graph.input(IMAGES, FLOAT, ["n", n_pixels])}
    kinds = {"category": STRING}
    return {
        column.name: graph.input(names[column.name], kinds.get(column.kind, FLOAT), ["n"])
        for column in saved.columns
    }


def _notes(saved: SavedModel, names: Mapping[str, str]) -> dict[str, str]:
    """The metadata: where the model comes from, and what the graph does otherwise than hpo."""
    about = {key: saved.about[key] for key in ("study", "trial", "metric", "value") if key in saved.about}
    said = ["Numbers come as 32-bit floats, and so with seven digits."]
    dates = [column.name for column in saved.columns if column.kind == DATE]
    if dates:
        said.append(f"Dates come as days since 1970-01-01: {', '.join(dates)}.")
    if any(column.levels for column in saved.columns):
        said.append("Categories come without spaces around them.")
    other = {column: name for column, name in names.items() if name != column}
    return {
        "hpo": json.dumps(about, sort_keys=True),
        "target": saved.target,
        "classes": json.dumps(list(saved.classes), ensure_ascii=False),
        "inputs": json.dumps(other, ensure_ascii=False),
        "notes": " ".join(said),
    }


# The network


def _lane(graph: Graph, saved: SavedModel, place: int, x: str) -> str:
    """What one lane says, in float32: probabilities [n, classes], or values [n, 1] in the target's own unit."""
    lane = saved.model.lanes[place]
    features = lane.weights[0].shape[1]
    padding = saved.model.preprocessing[lane.fold].get("padding", 0)
    for layer, (weights, biases) in enumerate(zip(lane.weights, lane.biases, strict=True)):
        if layer == 0:  # columns of zeros need no weights
            weights = weights[:, : features - padding]
        x = graph.add("MatMul", x, graph.constant(weights.T))
        x = graph.add("Add", x, graph.constant(biases))
        if layer < len(lane.weights) - 1:
            x = _hidden(graph, saved, lane, layer, x)
    if saved.model.task is Task.REGRESSION:
        return _own_unit(graph, x, saved.model.scaling_of(lane.fold))
    if saved.model.shared.loss == "cross_entropy":
        return graph.add("Softmax", x, axis=1)
    return graph.joined([graph.add("Sigmoid", graph.add("Neg", x)), graph.add("Sigmoid", x)])


def _hidden(graph: Graph, saved: SavedModel, lane: Lane, layer: int, x: str) -> str:
    """Batch norm by its running statistics, then the activation."""
    of_layer = {name: arrays[layer] for name, arrays in lane.extras.items()}
    if "gamma" in of_layer:
        scale = of_layer["gamma"] / np.sqrt(of_layer["variance"] + np.float32(BATCH_NORM_EPSILON))
        x = graph.add("Sub", x, graph.constant(of_layer["mean"]))
        x = graph.add("Mul", x, graph.constant(scale.astype(np.float32)))
        x = graph.add("Add", x, graph.constant(of_layer["beta"]))
    settings = saved.model.settings
    knobs = {
        "slope": float(of_layer.get("slope", [settings.negative_slope])[0]),
        "alpha": settings.elu_alpha,
        "pieces": saved.model.shape.pieces,
    }
    return lookup(ACTIVATIONS, settings.activation, "activation")(graph, x, knobs)


Knobs = Mapping[str, Any]


def _gelu(graph: Graph, x: str, knobs: Knobs) -> str:
    half, one = graph.constant(np.float32(0.5)), graph.constant(np.float32(1))
    erf = graph.add("Erf", graph.add("Mul", x, graph.constant(np.float32(np.sqrt(0.5)))))
    return graph.add("Mul", graph.add("Mul", x, half), graph.add("Add", erf, one))


def _softplus(graph: Graph, x: str, knobs: Knobs) -> str:
    # max(x, 0) + log(1 + exp(-|x|)): exp of a large number would overflow.
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    log = graph.add("Log", graph.add("Add", small, graph.constant(np.float32(1))))
    return graph.add("Add", graph.add("Relu", x), log)


def _maxout(graph: Graph, x: str, knobs: Knobs) -> str:
    pieces = graph.add("Reshape", x, graph.axes(0, knobs["pieces"], -1))
    return graph.add("ReduceMax", pieces, graph.axes(1), keepdims=0)


def _leaky(graph: Graph, x: str, knobs: Knobs) -> str:
    return graph.add("LeakyRelu", x, alpha=knobs["slope"])


def _mish(graph: Graph, x: str, knobs: Knobs) -> str:
    return graph.add("Mul", x, graph.add("Tanh", _softplus(graph, x, knobs)))


ACTIVATIONS: dict[str, Callable[[Graph, str, Knobs], str]] = {
    "linear": lambda graph, x, knobs: x,
    "sigmoid": lambda graph, x, knobs: graph.add("Sigmoid", x),
    "tanh": lambda graph, x, knobs: graph.add("Tanh", x),
    "relu": lambda graph, x, knobs: graph.add("Relu", x),
    "leaky_relu": _leaky,
    "prelu": _leaky,
    "elu": lambda graph, x, knobs: graph.add("Elu", x, alpha=knobs["alpha"]),
    "maxout": _maxout,
    "gelu": _gelu,
    "silu": lambda graph, x, knobs: graph.add("Mul", x, graph.add("Sigmoid", x)),
    "selu": lambda graph, x, knobs: graph.add("Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805),
    "softplus": _softplus,
    "mish": _mish,
}


# The output


def _own_unit(graph: Graph, y: str, scaling: TargetScaling) -> str:
    """From scaled = (f(y) - mean) / scale back to y, in doubles: expm1 magnifies rounding."""
    y = graph.cast(y, DOUBLE)
    y = graph.add("Mul", y, graph.constant(np.float64(scaling.scale)))
    y = graph.add("Add", y, graph.constant(np.float64(scaling.mean)))
    if scaling.kind == "log1p":
        y = graph.add("Sub", graph.add("Exp", y), graph.constant(np.float64(1)))
    return graph.cast(y, FLOAT)


def _outputs(graph: Graph, saved: SavedModel, mean: str) -> list[Any]:
    """`prediction`, and `probabilities` of a classification."""
    if saved.model.task is Task.REGRESSION:
        graph.add("Reshape", mean, graph.axes(-1), output="prediction")
        return [helper.make_tensor_value_info("prediction", FLOAT, ["n"])]
    n_classes = saved.model.n_classes
    p = graph.add("Identity", mean, output="probabilities")
    place = graph.add("ArgMax", p, axis=1, keepdims=0)
    graph.add("Gather", graph.texts(saved.classes), graph.cast(place, INT64), axis=0, output="prediction")
    return [
        helper.make_tensor_value_info("prediction", STRING, ["n"]),
        helper.make_tensor_value_info("probabilities", FLOAT, ["n", n_classes]),
    ]
