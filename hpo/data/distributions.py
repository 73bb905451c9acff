"""How the values of a column are spread: a histogram of numbers and dates, or the most frequent of its categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hpo.data.table import Column, Floats64, Ints, Kind
from hpo.dataset import Distribution

BARS = 20  # of a histogram
LEVELS = 10  # the most frequent categories, by name
LONGEST = 200  # characters of one
_EXACT = 2.0**52  # whole numbers beyond it have no halves between them

Name = Callable[[float], float | str]


def distribution(column: Column, named: Name = float) -> Distribution:
    """How a column is spread, in one pass or so over its cells.

    named: how a value of it is written; dates are texts
    """
    if column.kind is Kind.TEXT:
        return _of_levels(column.name, column.values, column.levels)
    missing = np.isnan(column.values)
    if column.kind is Kind.BOOLEAN:
        return _of_levels(
            column.name, np.where(missing, -1, column.values).astype(np.int64), ("False", "True")
        )
    finite = column.values[np.isfinite(column.values)]
    n_missing = int(missing.sum())
    n_infinite = len(column.values) - n_missing - len(finite)
    counted = Distribution(name=column.name, n_values=len(finite), n_missing=n_missing, n_infinite=n_infinite)
    if not len(finite):
        return counted
    low, high = float(finite.min()), float(finite.max())
    # Of halves, of which the smallest numbers have none: the sum of two may be no number any more.
    median = min(max(2 * float(np.median(finite / 2)), low), high)
    edges = _edges(low, high, column.whole)
    return replace(
        counted,
        minimum=named(low),
        median=named(median),
        maximum=named(high),
        edges=tuple(map(named, edges.tolist())),
        counts=tuple(np.histogram(finite, edges)[0].tolist()),
    )


def _edges(low: float, high: float, whole: bool) -> Floats64:
    """Where the bars of a histogram begin and end. Of whole numbers each bar holds equally many, whatever their span."""
    if low == high:
        return np.array([low, high])
    if whole and max(-low, high) < _EXACT:
        width = -(-(high - low + 1) // BARS)
        n_bars = int((high - low) // width) + 1
        return np.asarray(low - 0.5 + width * np.arange(n_bars + 1), dtype=np.float64)
    # Of halves: between the ends of what a number can be lies more than that.
    edges = np.clip(2 * np.linspace(low / 2, high / 2, BARS + 1), low, high)
    edges[[0, -1]] = low, high
    return edges


def _of_levels(name: str, codes: Ints, levels: tuple[str, ...]) -> Distribution:
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    n_values = int(counts.sum())
    first = np.argsort(-counts, kind="stable")[:LEVELS]
    first = first[counts[first] > 0]
    return Distribution(
        name=name,
        n_values=n_values,
        n_missing=len(codes) - n_values,
        n_levels=int((counts > 0).sum()),
        levels=tuple(levels[place][:LONGEST] for place in first),
        counts=tuple(counts[first].tolist()),
    )
