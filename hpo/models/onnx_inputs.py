"""The preparation of columns as part of an ONNX graph, in doubles as hpo itself does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from hpo.models.graph import DOUBLE, FLOAT, INT64, Graph
from hpo.models.packed import Floats64, unpacked
from hpo.models.preparing import Record, one_hot_places, width_of

_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(slots=True, kw_only=True)
class Inputs:
    """Prepares the inputs of a graph as one fold or another did.

    columns: the tensor of each column; of images one, [n, pixels]; missing: words that mean an empty cell
    """

    graph: Graph
    columns: Mapping[str, str]
    images: bool
    missing: Sequence[str]

    def prepared(self, record: Record) -> str:
        """The inputs of the network [n, features] in float32, without columns of zeros at the end."""
        graph, parts = self.graph, []
        if record["numbers"]:
            scaled = self._scaled(record, self._filled(record))
            limits = [graph.constant(np.float64(limit)) for limit in (-_FLOAT32_MAX, _FLOAT32_MAX)]
            parts.append(graph.cast(graph.add("Clip", scaled, *limits), FLOAT))
        for name in record["indicators"]:
            parts.append(graph.cast(graph.add("IsNaN", self._wide(name)), FLOAT))
        for entry in record["categories"]:
            if width_of(entry):
                parts.append(self._one_hot(entry))
        return graph.joined(parts)

    def _wide(self, name: str) -> str:
        """A column of numbers as [n, 1]."""
        return self.graph.add("Unsqueeze", self.columns[name], self.graph.axes(1))

    def _filled(self, record: Record) -> str:
        """The numbers [n, m] in doubles, the median where one is missing."""
        graph = self.graph
        if self.images:
            x = next(iter(self.columns.values()))
        else:
            x = graph.joined([self._wide(name) for name in record["numbers"]])
        x = graph.cast(x, DOUBLE)
        medians = graph.constant(np.array(record["medians"], dtype=np.float64))
        return graph.add("Where", graph.add("IsNaN", x), medians, x)

    def _scaled(self, record: Record, x: str) -> str:
        scaling = record["scaling"]
        return SCALINGS[scaling["kind"]](self.graph, x, scaling)

    def _one_hot(self, entry: Record) -> str:
        """A category's columns [n, width]: a text is looked up, and what is unknown goes to the others."""
        graph, width = self.graph, width_of(entry)
        *places, missing = one_hot_places(entry, entry["levels"]).tolist()
        other = len(places) if entry["other"] else width
        words = dict.fromkeys(self.missing, missing if missing >= 0 else width) | dict(
            zip(entry["levels"], places, strict=True)
        )
        code = graph.add(
            "LabelEncoder",
            self.columns[entry["name"]],
            domain="ai.onnx.ml",
            keys_strings=list(words),
            values_int64s=list(words.values()),
            default_int64=other,
        )
        # One place more, for what has no column, is cut off again.
        values = graph.constant(np.array([0, 1], dtype=np.float32))
        hot = graph.add("OneHot", code, graph.axes(width + 1), values, axis=1)
        return graph.add("Slice", hot, graph.axes(0), graph.axes(width), graph.axes(1))


def _affine(graph: Graph, x: str, scaling: Record) -> str:
    x = graph.add("Sub", x, graph.constant(np.array(scaling["shift"], dtype=np.float64)))
    return graph.add("Div", x, graph.constant(np.array(scaling["scale"], dtype=np.float64)))


def _project(graph: Graph, x: str, scaling: Record) -> str:
    x = graph.add("Sub", x, graph.constant(np.array(scaling["shift"], dtype=np.float64)))
    return graph.add("MatMul", x, graph.constant(unpacked(scaling["components"]).T))


def _by_rank(graph: Graph, x: str, scaling: Record) -> str:
    """Ranks among the training rows, column after column: all at once would take n * columns * quantiles numbers."""
    known = unpacked(scaling["quantiles"])
    columns = graph.add("Transpose", x, perm=[1, 0])
    tables = [graph.constant(table) for table in (known, _rounded(known), _meant(known))]
    body = _rank_of_column(Graph(prefix=f"{graph.fresh('rank')}."), known.shape[1])
    ranks = graph.add("Scan", columns, *tables, body=body, num_scan_inputs=4)
    return graph.add("Transpose", ranks, perm=[1, 0])


def _rounded(known: Floats64) -> Floats64:
    return known.astype(np.float32).astype(np.float64)


def _meant(known: Floats64) -> Floats64:
    """For each quantile the number that an input of its float32 stands for, [m, quantiles].

    Inputs have lost their last digits, and a quantile may be off by the last bit; 0.2 is meant, not 0.20000000000000004.
    """
    meant = known.copy()
    for column in meant:
        shortest: dict[np.float32, float] = {}
        for value in sorted(set(column.tolist()), key=lambda value: len(repr(value))):
            shortest.setdefault(np.float32(value), _short(value))
        column[:] = [shortest[np.float32(value)] for value in column]
    return meant


def _short(value: float) -> float:
    """The decimal number that people would write for it, if it is one but for the last bits.

    >>> _short(1.5000000000000036), _short(123456.789012)
    (1.5, 123456.789012)
    """
    written = float(str(np.float32(value)))
    return written if abs(written - value) <= 1e-13 * abs(value) else value


def _rank_of_column(body: Graph, n_known: int) -> Any:
    """The graph that ranks one column x [n] by its quantiles known [q]: the middle of the ranks of equal ones."""
    given = body.input(body.fresh("column"), DOUBLE, ["n"])
    known, rounded, meant = (
        body.input(body.fresh(name), DOUBLE, [n_known]) for name in ("known", "rounded", "meant")
    )
    last = body.constant(np.int64(n_known - 1))
    step = body.constant(np.float64(1 / max(n_known - 1, 1)))
    zero = body.constant(np.int64(0))

    def at(place: str) -> tuple[str, str]:
        """Quantile and rank at a place."""
        return body.add("Gather", known, place, axis=0), body.add("Mul", body.cast(place, DOUBLE), step)

    def between(x: str, low: str, high: str) -> str:
        """The rank of x on the line between two neighbours; that of the lower one where they are equal."""
        (known_low, rank_low), (known_high, rank_high) = at(low), at(high)
        width = body.add("Sub", known_high, known_low)
        flat = body.add("Equal", width, body.constant(np.float64(0)))
        safe = body.add("Where", flat, body.constant(np.float64(1)), width)
        share = body.add("Div", body.add("Sub", x, known_low), safe)
        share = body.add("Where", flat, body.constant(np.float64(0)), share)
        rise = body.add("Mul", share, body.add("Sub", rank_high, rank_low))
        return body.add("Add", rank_low, rise)

    def limited(place: str) -> str:
        return body.add("Min", body.add("Max", place, zero), last)

    wide = body.add("Unsqueeze", given, body.axes(1))
    first = _count(body, body.add("Less", rounded, wide))
    after = _count(body, body.add("LessOrEqual", rounded, wide))
    exact = body.add("Gather", meant, limited(first), axis=0)
    x = body.add("Where", body.add("Greater", after, first), exact, given)
    wide = body.add("Unsqueeze", x, body.axes(1))
    not_above = _count(body, body.add("LessOrEqual", known, wide))  # quantiles <= x
    below = _count(body, body.add("Less", known, wide))
    one = body.constant(np.int64(1))
    clipped = body.add("Sub", not_above, one)
    up = between(x, limited(clipped), limited(not_above))
    down = between(x, limited(body.add("Sub", below, one)), limited(below))
    # Beyond the last quantile there is nothing to go on to, and before the first one nothing to come from.
    rank = body.add("Div", body.add("Add", up, down), body.constant(np.float64(2)))
    nothing, everything = body.constant(np.float64(0)), body.constant(np.float64(1))
    rank = body.add("Where", body.add("GreaterOrEqual", x, at(last)[0]), everything, rank)
    body.add("Where", body.add("LessOrEqual", x, at(zero)[0]), nothing, rank, output=f"{body.prefix}rank")
    return body.body("rank", [helper.make_tensor_value_info(f"{body.prefix}rank", DOUBLE, ["n"])])


def _count(body: Graph, which: str) -> str:
    """How many of each row are true, [n]."""
    return body.add("ReduceSum", body.cast(which, INT64), body.axes(1), keepdims=0)


SCALINGS: dict[str, Callable[[Graph, str, Record], str]] = {
    "none": _affine,
    "center": _affine,
    "standardize": _affine,
    "minmax": _affine,
    "pca": _project,
    "whiten": _project,
    "quantile": _by_rank,
}
