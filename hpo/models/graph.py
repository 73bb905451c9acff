"""Build an ONNX graph node by node: names are made up, constants become initializers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

# Old enough for the runtimes that people have, new enough for what is used.
OPSET, OPSET_ML, IR_VERSION = 18, 3, 9

PREFIX = "hpo."

FLOAT, STRING = TensorProto.FLOAT, TensorProto.STRING
DOUBLE, INT64 = TensorProto.DOUBLE, TensorProto.INT64


@dataclass(slots=True)
class Graph:
    """Nodes, constants and inputs of a graph that is being built; every method gives the name of a tensor.

    prefix: of all names that are made up here
    """

    prefix: str = PREFIX
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    inputs: list[ValueInfoProto] = field(default_factory=list)
    _names: Any = field(default_factory=count)
    _known: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        """An input of the graph."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def fresh(self, word: str) -> str:
        """A name that nothing else has."""
        return f"{self.prefix}{word}{next(self._names)}"

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        """A constant; equal ones are kept once."""
        array = np.asarray(array, order="C")
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._known:
            name = self.fresh("constant")
            self.constants.append(numpy_helper.from_array(array, name))
            self._known[key] = name
        return self._known[key]

    def texts(self, words: Sequence[str]) -> str:
        """A constant of texts."""
        name = self.fresh("constant")
        values: Any = [word.encode() for word in words]
        self.constants.append(helper.make_tensor(name, STRING, [len(words)], values))
        return name

    def add(self, kind: str, *inputs: str, output: str | None = None, domain: str = "", **how: Any) -> str:
        """A node with one output."""
        name = output or self.fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **how))
        return name

    def cast(self, x: str, kind: int) -> str:
        """The same numbers in another type."""
        return self.add("Cast", x, to=kind)

    def axes(self, *places: int) -> str:
        """A constant of axes, or of a shape."""
        return self.constant(np.array(places, dtype=np.int64))

    def joined(self, parts: Sequence[str]) -> str:
        """Columns side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def body(self, name: str, outputs: Sequence[ValueInfoProto]) -> GraphProto:
        """What has been built as a graph."""
        return helper.make_graph(self.nodes, name, self.inputs, list(outputs), self.constants)

    def model(self, name: str, outputs: Sequence[ValueInfoProto], notes: dict[str, str]) -> ModelProto:
        """What has been built as a model. notes: its metadata."""
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
        model = helper.make_model(
            self.body(name, outputs), opset_imports=opsets, producer_name="hpo", ir_version=IR_VERSION
        )
        helper.set_model_props(model, notes)
        return model
