"""Prepare raw columns for a model as its training rows were: the medians, scalings and categories of a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpo.errors import DataError, lookup
from hpo.models.model import Floats
from hpo.models.packed import Floats64, unpacked

NUMBER, DATE, CATEGORY = "number", "date", "category"
_FLOAT32_MAX = float(np.finfo(np.float32).max)

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """A column that a model reads.

    kind: number, date (days since 1970-01-01) or category; levels: the categories it knows
    form: how training wrote its dates, for strptime; "" or "iso": as ISO 8601
    """

    name: str
    kind: str
    levels: tuple[str, ...] = ()
    form: str = ""


class Codes(Protocol):
    """A column of categories: codes [n] into levels, -1 where empty."""

    @property
    def codes(self) -> NDArray[np.int64]:
        """Places in levels."""

    @property
    def levels(self) -> tuple[str, ...]:
        """The texts there are."""


Column = Floats64 | Codes  # numbers and dates: [n], NaN where empty


def input_columns(preparation: Sequence[Record]) -> tuple[InputColumn, ...]:
    """The columns that a model reads, those of all folds: numbers first, then categories."""
    numbers: dict[str, InputColumn] = {}
    levels: dict[str, dict[str, None]] = {}
    for record in preparation:
        for name in (*record["numbers"], *record["indicators"]):
            kind, form = DATE if name in record["dates"] else NUMBER, record.get("date_forms", {})
            numbers[name] = InputColumn(name=name, kind=kind, form=form.get(name, ""))
        for entry in record["categories"]:
            levels.setdefault(entry["name"], {}).update(dict.fromkeys(entry["levels"]))
    categories = [
        InputColumn(name=name, kind=CATEGORY, levels=tuple(known)) for name, known in levels.items()
    ]
    return (*numbers.values(), *categories)


def prepared(record: Record, columns: Mapping[str, Column], n: int) -> Floats:
    """The inputs of a network, [n, features] float32, from columns of n rows each. Raises DataError."""
    x = np.zeros((n, record["n_features"]), dtype=np.float32)
    numbers = _filled(record, columns, n)
    scaling = record["scaling"]
    scaled = lookup(SCALINGS, scaling["kind"], "scaling")(numbers, scaling)
    m = scaled.shape[1]
    x[:, :m] = np.clip(scaled, -_FLOAT32_MAX, _FLOAT32_MAX)
    for name in record["indicators"]:
        x[:, m] = np.isnan(_numbers(columns, name))
        m += 1
    for entry in record["categories"]:
        m += _one_hot(entry, columns[entry["name"]], x[:, m:])
    return x


def _filled(record: Record, columns: Mapping[str, Column], n: int) -> Floats64:
    """The record's numbers [n, m], the median where one is missing."""
    found = np.empty((n, len(record["numbers"])))
    for place, (name, median) in enumerate(zip(record["numbers"], record["medians"], strict=True)):
        values = _numbers(columns, name)
        found[:, place] = np.where(np.isnan(values), median, values)
    return found


def _numbers(columns: Mapping[str, Column], name: str) -> Floats64:
    values = columns[name]
    if not isinstance(values, np.ndarray):
        raise DataError(f"column {name!r} must be numbers")
    return values


def one_hot_places(entry: Record, levels: Sequence[str]) -> NDArray[np.int64]:
    """The place of each level among a category's columns, and at the end that of an empty cell; -1: none.

    A level that training did not have goes to `other`, or to no column when training had no rest.
    """
    place_of = {level: place for place, level in enumerate(entry["levels"])}
    other = len(place_of) if entry["other"] else -1
    missing = width_of(entry) - 1 if entry["missing"] else -1
    return np.array([*(place_of.get(level, other) for level in levels), missing], dtype=np.int64)


def width_of(entry: Record) -> int:
    """How many columns a category has."""
    return len(entry["levels"]) + bool(entry["other"]) + bool(entry["missing"])


def _one_hot(entry: Record, column: Column, x: Floats) -> int:
    """Write 1 into each row's column of x; how many columns the category has."""
    if isinstance(column, np.ndarray):
        raise DataError(f"column {entry['name']!r} must be categories")
    places = one_hot_places(entry, column.levels)[column.codes]
    known = np.flatnonzero(places >= 0)
    x[known, places[known]] = 1.0
    return width_of(entry)


def _affine(x: Floats64, scaling: Record) -> Floats64:
    shift, scale = (np.array(scaling[key], dtype=np.float64) for key in ("shift", "scale"))
    with np.errstate(over="ignore"):
        found: Floats64 = (x - shift) / scale
    return found


def _project(x: Floats64, scaling: Record) -> Floats64:
    with np.errstate(over="ignore", invalid="ignore"):
        found: Floats64 = (x - np.array(scaling["shift"])) @ unpacked(scaling["components"]).T
    return found


def _by_rank(x: Floats64, scaling: Record) -> Floats64:
    """Ranks among the training rows; of equal ones the middle."""
    quantiles = unpacked(scaling["quantiles"])  # [m, quantiles]
    ranks = np.linspace(0, 1, quantiles.shape[1])
    found = np.empty_like(x)
    for place, known in enumerate(quantiles):
        column = x[:, place]
        up = np.interp(column, known, ranks)
        down = -np.interp(-column, -known[::-1], -ranks[::-1])
        middle = (up + down) / 2
        middle[column == known[-1]] = 1.0
        middle[column == known[0]] = 0.0
        found[:, place] = middle
    return found


SCALINGS: dict[str, Callable[[Floats64, Record], Floats64]] = {
    "none": _affine,
    "center": _affine,
    "standardize": _affine,
    "minmax": _affine,
    "pca": _project,
    "whiten": _project,
    "quantile": _by_rank,
}
