"""Read the target: infer the task and say why, name the classes, scale a regression target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.data.columns import (
    Category,
    as_category,
    check_column_finite,
    check_stray_text,
    clean,
    numbers_from_text,
)
from hpo.data.table import MAX_NAME, Array, Column, Floats64, Ints, Kind, Table
from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError, suggest
from hpo.study import DataSpec

MAX_CLASSES = 1_000
MAX_INFERRED_CLASSES = 20
TARGET_SCALINGS = ("standardize", "none", "log1p")
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """What is to be predicted.

    rows: the table's rows that have a target
    labels: [n] class numbers, -1 without a target; of no use in regression
    values: [n] float64 for regression, in the target's own unit
    positive: the class number that precision, recall and f1 are of
    """

    name: str
    task: Task
    reason: str
    rows: Ints
    labels: Ints
    values: Floats64
    classes: tuple[str, ...] = ()
    positive: int | None = None


def read_target(table: Table, spec: DataSpec) -> Target:
    """The target of a table. Raises DataError with a place when there is none, or it is of no use."""
    name = spec.target or table.target
    if name is None:
        shown = ", ".join(table.names[:20]) + (" …" if len(table.names) > 20 else "")
        raise DataError(
            f"say which column is to be predicted (--target NAME); there are {shown}", field="data.target"
        )
    table.check_name(name, field="data.target")
    column = table.column(name)
    if column.kind is Kind.TEXT:
        column = _from_text(clean(column, spec.keep_missing), table.comma, spec)
    known = table.task if name == table.target else None
    task, reason = _infer(column, spec.task, known)
    if column.kind is not Kind.TEXT:
        check_column_finite(name, column.values)
    rows = np.flatnonzero(_present(column))
    if len(rows) == 0:
        raise DataError(f"column {name!r} is empty in every row", field="data.target")
    return (
        _classes(column, rows, reason, spec)
        if task is Task.CLASSIFICATION
        else _numbers(column, rows, reason, spec)
    )


def fit_target_scaling(kind: str | None, training: Floats64, name: str) -> TargetScaling:
    """How to scale a regression target, from its training rows. Raises DataError.

    >>> fit_target_scaling(None, np.array([1.0, 3.0]), "y")
    TargetScaling(kind='standardize', mean=2.0, scale=1.0)
    """
    kind = kind or "standardize"
    if kind not in TARGET_SCALINGS:
        hint = suggest(kind, TARGET_SCALINGS) or f"; there are {', '.join(TARGET_SCALINGS)}"
        raise DataError(f"no target scaling is called {kind!r}{hint}", field="data.target_scaling")
    values = np.log1p(training) if kind == "log1p" else training
    spread = float(values.std())
    if spread == 0.0 or training.min() == training.max():
        raise DataError(
            f"column {name!r} is {float(training[0]):g} in every training row; there is nothing to learn",
            field="data.target",
        )
    if kind == "none":
        return TargetScaling()
    return TargetScaling(kind=kind, mean=float(values.mean()), scale=spread)


def scale_target(scaling: TargetScaling, values: Floats64) -> Array:
    """Float32 targets [n] from values in their own unit."""
    moved = np.log1p(values) if scaling.kind == "log1p" else values
    scaled = (moved - scaling.mean) / scaling.scale
    return np.clip(scaled, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32)


def target_record(target: Target, scaling: TargetScaling) -> Mapping[str, Any]:
    """The target's part of the preprocessing record, in JSON types."""
    return {
        "name": target.name,
        "task": str(target.task),
        "classes": list(target.classes),
        "scaling": {"kind": scaling.kind, "mean": scaling.mean, "scale": scaling.scale},
    }


def _from_text(column: Column, comma: bool, spec: DataSpec) -> Column:
    numbers = numbers_from_text(column, comma) if column.levels else None
    if numbers is not None:
        return numbers
    if spec.task != Task.CLASSIFICATION:
        check_stray_text(column, comma)
    return column


def _infer(column: Column, asked: str | None, known: Task | None) -> tuple[Task, str]:
    if asked is not None:
        if asked not in list(Task):
            raise DataError(
                f"must be classification or regression, got {asked!r}{suggest(asked, [str(task) for task in Task])}",
                field="data.task",
            )
        if asked == Task.REGRESSION and column.kind is Kind.TEXT:
            raise DataError(
                f"regression needs numbers, but column {column.name!r} is text "
                f"({', '.join(repr(level) for level in column.levels[:3])} …); say classification",
                field="data.task",
            )
        return Task(asked), "as the study file says"
    if known is not None:
        return known, "as the data set is known"
    if column.kind is Kind.TEXT:
        return Task.CLASSIFICATION, f"{column.name} is text"
    if column.kind is Kind.BOOLEAN:
        return Task.CLASSIFICATION, f"{column.name} is true or false"
    n_distinct = len(np.unique(column.values[~np.isnan(column.values)]))
    if column.whole and n_distinct <= MAX_INFERRED_CLASSES:
        return (
            Task.CLASSIFICATION,
            f"{column.name} has {n_distinct} distinct whole numbers, at most {MAX_INFERRED_CLASSES}",
        )
    if column.whole:
        return (
            Task.REGRESSION,
            f"{column.name} has {n_distinct:,} distinct whole numbers, more than {MAX_INFERRED_CLASSES}",
        )
    what = "dates" if column.kind is Kind.DATE else "numbers that are not all whole"
    return Task.REGRESSION, f"{column.name} holds {what}"


def _present(column: Column) -> Array:
    return column.values >= 0 if column.kind is Kind.TEXT else ~np.isnan(column.values)


def _classes(column: Column, rows: Ints, reason: str, spec: DataSpec) -> Target:
    category = _sorted(as_category(column), column)
    if len(category.levels) < 2:
        raise DataError(
            f"column {column.name!r} is {category.levels[0]!r} in every row; two classes are needed",
            field="data.target",
        )
    if len(category.levels) > MAX_CLASSES:
        raise DataError(
            f"column {column.name!r} has {len(category.levels):,} classes, at most {MAX_CLASSES:,} are possible"
            + ("" if column.kind is Kind.TEXT else "; is it a regression? then say data.task: regression"),
            field="data.target",
        )
    longest = max(category.levels, key=len)
    if len(longest) > MAX_NAME:
        raise DataError(
            f"column {column.name!r} has a class with a name of {len(longest):,} characters ({longest[:40]!r} …); "
            f"at most {MAX_NAME} are possible",
            field="data.target",
        )
    if spec.target_scaling == "log1p":
        raise DataError("only a regression target can be scaled", field="data.target_scaling")
    return Target(
        name=column.name,
        task=Task.CLASSIFICATION,
        reason=reason,
        rows=rows,
        labels=category.codes,
        values=np.empty(0),
        classes=category.levels,
        positive=_positive(spec, category.levels),
    )


def _sorted(category: Category, column: Column) -> Category:
    """Only classes that occur; text in alphabetical order unless it has an order of its own."""
    counts = np.bincount(category.codes[category.codes >= 0], minlength=len(category.levels))
    used = [place for place, count in enumerate(counts) if count]
    if column.kind is Kind.TEXT and not column.ordered:
        used.sort(key=lambda place: category.levels[place])
    moved = np.full(len(category.levels) + 1, -1, dtype=np.int64)  # the last answers to -1
    moved[used] = np.arange(len(used))
    levels = tuple(category.levels[place] for place in used)
    return Category(name=category.name, codes=moved[category.codes], levels=levels)


def _positive(spec: DataSpec, classes: tuple[str, ...]) -> int | None:
    if spec.positive is None:
        return None
    name = str(spec.positive)
    if isinstance(spec.positive, float) and spec.positive.is_integer():
        name = str(int(spec.positive))
    same = [place for place, known in enumerate(classes) if known == name]
    if not same and isinstance(spec.positive, bool):
        same = [place for place, known in enumerate(classes) if known.lower() == name.lower()]
    if not same:
        hint = suggest(name, classes) or f"; there are {', '.join(classes[:20])}"
        raise DataError(f"no class is called {name!r}{hint}", field="data.positive")
    return same[0]


def _numbers(column: Column, rows: Ints, reason: str, spec: DataSpec) -> Target:
    if spec.positive is not None:
        raise DataError("only a classification has a positive class", field="data.positive")
    values = column.values
    if spec.target_scaling == "log1p" and values[rows].min() <= -1:
        row = int(rows[np.argmin(values[rows])])
        raise DataError(
            f"log1p needs targets above -1, but row {row + 1:,} has {values[row]:g}; use standardize",
            field="data.target_scaling",
        )
    return Target(
        name=column.name,
        task=Task.REGRESSION,
        reason=reason,
        rows=rows,
        labels=np.empty(0, dtype=np.int64),
        values=values,
    )
