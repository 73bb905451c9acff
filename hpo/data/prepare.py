"""From a data spec to arrays: read, settle columns, divide rows, fit on training rows, apply to all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hpo.data import preprocessing
from hpo.data.columns import Features, as_category, check_keep_missing, clean, numbers_from_text, settle
from hpo.data.literals import looks_like_data
from hpo.data.preprocessing import MAX_LEVELS, Record
from hpo.data.readers import read_source
from hpo.data.splits import Parts, Rulers, divide
from hpo.data.summary import Summary, summarized
from hpo.data.table import Array, Column, Ints, Kind, Table
from hpo.data.target import Target, fit_target_scaling, read_target, scale_target, target_record
from hpo.dataset import (
    ColumnInfo,
    DatasetInfo,
    Preparation,
    PreparedData,
    Rows,
    ScaledData,
    TargetScaling,
    Task,
    TrainingData,
    scaling_of,
)
from hpo.errors import DataError
from hpo.study import DataSpec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fold:
    """Row numbers to train and to validate on, and what is fitted on the first: all but the input scaling.

    scaling: of a regression target
    """

    training: Ints
    validation: Ints
    record: Record
    scaling: TargetScaling


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Settled:
    """All decisions taken, no array made yet."""

    info: DatasetInfo
    features: Features
    target: Target
    folds: tuple[_Fold, ...]
    test: Ints


def prepare(
    spec: DataSpec,
    *,
    scalings: Sequence[str | None],
    folder: Path,
    seed: int,
    stored: Callable[[str], bytes] | None = None,
) -> PreparedData:
    """The arrays of a study's data, under each of the input scalings. Raises DataError, UnknownName.

    scalings: keys (`dataset.scaling_key`); None is the data's default, minmax for images, else standardize
    folder: what a relative path is relative to
    seed: the study's, for a split without its own
    stored: gives the bytes of uploaded data (`ds_…`)
    """
    settled, whole = _settle(spec, *read_source(spec.source, spec.options, folder, stored), seed)
    info = settled.info
    default = "minmax" if info.images else "standardize"
    keys = tuple(dict.fromkeys(default if key is None else key for key in scalings))
    scaled, refit = _ByScaling(settled, keys), _ByScaling(whole, keys)
    # Asked for now, so that what cannot be is told before a study begins.
    widths = {key: scaled.n_features(key) for key in keys}
    n_inputs = {key: width for key, width in widths.items() if width != info.n_features}
    return PreparedData(
        info=replace(info, n_inputs=n_inputs),
        scaled=scaled,
        refit=refit,
        preparations=_Preparations(scaled),
        refit_preparations=_Preparations(refit),
    )


def describe(
    spec: DataSpec, folder: Path, *, stored: Callable[[str], bytes] | None = None, seed: int = 0
) -> DatasetInfo:
    """What there is to say of a data set, without making its arrays. Raises DataError."""
    return _settle(spec, *read_source(spec.source, spec.options, folder, stored), seed)[0].info


def look(
    spec: DataSpec, folder: Path, *, stored: Callable[[str], bytes] | None = None, seed: int = 0
) -> tuple[Summary, DatasetInfo | None]:
    """What a data set holds; and what a study makes of it, where its target is known. Raises DataError."""
    table, sha256 = read_source(spec.source, spec.options, folder, stored)
    target = table.target if spec.target is None else spec.target
    summary = summarized(table, sha256, target)
    return summary, None if target is None else _settle(spec, table, sha256, seed)[0].info


def _settle(spec: DataSpec, table: Table, sha256: str, seed: int) -> tuple[_Settled, _Settled]:
    """The data with its folds; and with all rows but the test rows as one fold to train on."""
    check_keep_missing(spec.keep_missing)
    target = _target(table, spec)
    features, columns = settle(
        table,
        without=_without(table, spec, target.name),
        categories=spec.categories,
        keep_missing=spec.keep_missing,
    )
    parts = _divide(table, spec, target, seed)

    def fitted(training: Ints, validation: Ints) -> _Fold:
        record = preprocessing.fit(features, training, images=table.images, keep_missing=spec.keep_missing)
        return _Fold(
            training=training,
            validation=validation,
            record=record,
            scaling=_target_scaling(spec, target, training),
        )

    folds = tuple(fitted(training, validation) for training, validation in parts.folds)
    first = folds[0]
    info = DatasetInfo(
        source=spec.source,
        sha256=sha256,
        task=target.task,
        task_reason=target.reason,
        target=target.name,
        n_rows=len(target.rows),
        n_features=max(fold.record["n_features"] for fold in folds),
        images=table.images,
        classes=target.classes,
        columns=_columns(columns, first.record, target),
        n_folds=len(folds),
        n_train=len(first.training),
        n_validation=len(first.validation),
        n_test=len(parts.test),
        notes=_notes(table, target, first.record),
    )
    rest = np.unique(np.concatenate([rows for fold in parts.folds for rows in fold]))
    settled = _Settled(info=info, features=features, target=target, folds=folds, test=parts.test)
    return settled, replace(settled, folds=(fitted(rest, rest[:0]),))


def _target(table: Table, spec: DataSpec) -> Target:
    try:
        return read_target(table, spec)
    except DataError as error:
        if error.field == "data.target" and spec.target not in table.names and looks_like_data(table.names):
            raise DataError(
                f"{error.detail}; the first line should name the columns", field=error.field
            ) from error
        raise


def _without(table: Table, spec: DataSpec, target: str) -> dict[str, str]:
    """The columns that are no features, each with the reason."""
    without: dict[str, str] = {}
    for key, names in (("drop", spec.drop), ("categories", spec.categories)):
        for name in names:
            table.check_name(name, field=f"data.{key}")
    for name in spec.drop:
        if name == target:
            raise DataError(f"{name!r} is the target and cannot be dropped", field="data.drop")
        without[name] = "left out as asked"
    for key in ("column", "groups", "order"):
        name = getattr(spec.split, key)
        if name is not None:
            table.check_name(name, field=f"data.split.{key}")
            without[name] = "says how rows are divided"
    without[target] = "the target"
    return without


def _divide(table: Table, spec: DataSpec, target: Target, seed: int) -> Parts:
    """Parts in row numbers of the table."""
    rows = target.rows
    split = spec.split
    words, groups, order = (
        None if name is None else table.column(name) for name in (split.column, split.groups, split.order)
    )
    rulers = Rulers(
        labels=target.labels[rows] if target.task is Task.CLASSIFICATION else None,
        words=None if words is None else _words(words)[rows],
        groups=None if groups is None else _groups(groups, rows),
        order=None if order is None else _order(order, table.comma, rows),
        official=None if table.test is None or words or groups or order else table.test[rows],
    )
    parts = divide(split, len(rows), rulers, seed=seed, classes=target.classes)
    return Parts(
        folds=tuple((rows[training], rows[validation]) for training, validation in parts.folds),
        test=rows[parts.test],
    )


def _words(column: Column) -> Array:
    category = as_category(column)
    levels = np.array([*(level.strip().lower() for level in category.levels), ""])
    return levels[category.codes]


def _groups(column: Column, rows: Ints) -> Ints:
    codes = as_category(clean(column) if column.kind is Kind.TEXT else column).codes
    _check_present(codes >= 0, column.name, rows, "groups")
    return codes[rows]


def _order(column: Column, comma: bool, rows: Ints) -> Array:
    if column.kind is Kind.TEXT:
        column = clean(column)
        column = numbers_from_text(column, comma) or column
    present = column.values >= 0 if column.kind is Kind.TEXT else ~np.isnan(column.values)
    _check_present(present, column.name, rows, "order")
    if column.kind is not Kind.TEXT:
        return column.values[rows]
    rank = np.empty(len(column.levels), dtype=np.int64)
    rank[sorted(range(len(column.levels)), key=column.levels.__getitem__)] = np.arange(len(column.levels))
    return rank[column.values[rows]]


def _check_present(present: Array, name: str, rows: Ints, key: str) -> None:
    absent = rows[~present[rows]]
    if len(absent):
        raise DataError(
            f"column {name!r} is empty in row {absent[0] + 1:,}, so that row has no place",
            field=f"data.split.{key}",
        )


def _target_scaling(spec: DataSpec, target: Target, training: Ints) -> TargetScaling:
    if target.task is Task.CLASSIFICATION:
        return TargetScaling()
    return fit_target_scaling(spec.target_scaling, target.values[training], target.name)


def _columns(
    columns: Sequence[ColumnInfo], record: Mapping[str, Any], target: Target
) -> tuple[ColumnInfo, ...]:
    """What became of the columns, known only now: which are constant in training, what the target is."""
    later = {
        name: ColumnInfo(name=name, kind="dropped", note=f"{why} in training")
        for name, why in record["dropped"].items()
    }
    kind = "category" if target.task is Task.CLASSIFICATION else "number"
    later[target.name] = ColumnInfo(name=target.name, kind=kind, note="the target")
    return tuple(later.get(column.name, column) for column in columns)


def _notes(table: Table, target: Target, record: Mapping[str, Any]) -> tuple[str, ...]:
    notes = list(table.notes)
    lost = table.n_rows - len(target.rows)
    if lost:
        notes.append(
            f"{lost:,} {'row has' if lost == 1 else 'rows have'} no target and {'is' if lost == 1 else 'are'} left out."
        )
    for why in ("constant", "empty"):
        names = [name for name, reason in record["dropped"].items() if reason == why]
        if names:
            notes.append(f"Left out, as {why} in the training rows: {_listed(names)}.")
    if record["indicators"]:
        notes.append(
            f"Missing numbers became the median, with an indicator column, in: {_listed(record['indicators'])}."
        )
    for entry in record["categories"]:
        if entry["other"]:
            notes.append(
                f"{entry['name']} has {entry['n_levels']:,} categories in training; the {MAX_LEVELS} most frequent have a column each, the rest share one."
            )
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")


class _ByScaling(Mapping[str, ScaledData]):
    """The data under each of some input scalings, fitted on each fold's training rows.

    Arrays are made when they are asked for, and those of the last scaling are held: a study may search
    a hundred numbers of components.
    """

    def __init__(self, settled: _Settled, keys: Sequence[str]) -> None:
        self._settled, self._keys = settled, keys
        self._fitted: dict[tuple[int, str], Record] = {}
        self._held: tuple[str, ScaledData] | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, key: str) -> ScaledData:
        if key not in self._keys:
            raise KeyError(key)
        if self._held is None or self._held[0] != key:
            self._held = key, self._scaled(key)
        return self._held[1]

    def n_features(self, key: str) -> int:
        """Columns of the data under a scaling. Raises UnknownName, DataError for too many components."""
        return max(int(self._record(place, key)["n_features"]) for place in range(len(self._settled.folds)))

    def _record(self, place: int, key: str) -> Record:
        """The record of a fold, without padding."""
        name, components = scaling_of(key)
        if (place, name) not in self._fitted:
            fold = self._settled.folds[place]
            self._fitted[place, name] = preprocessing.with_scaling(
                fold.record, self._settled.features, fold.training, name
            )
        record = self._fitted[place, name]
        return preprocessing.with_components(record, components) if components else record

    def preparation(self, key: str) -> tuple[Record, ...]:
        """What is done to the columns of each fold, its target included. Raises KeyError."""
        if key not in self._keys:
            raise KeyError(key)
        n_features = self.n_features(key)
        return tuple(
            preprocessing.padded(self._record(place, key), n_features)
            | {"target": target_record(self._settled.target, fold.scaling)}
            for place, fold in enumerate(self._settled.folds)
        )

    def _scaled(self, key: str) -> ScaledData:
        settled, records = self._settled, self.preparation(key)
        folds: list[tuple[Rows, Rows]] = []
        tests: list[Rows] = []
        for fold, record in zip(settled.folds, records, strict=True):
            training, validation, test = (
                _rows(settled, record, fold.scaling, rows)
                for rows in (fold.training, fold.validation, settled.test)
            )
            folds.append((training, validation))
            tests.append(test)
        data = TrainingData(
            task=settled.target.task,
            folds=tuple(folds),
            n_features=records[0]["n_features"],
            n_classes=len(settled.target.classes),
            target_scalings=tuple(fold.scaling for fold in settled.folds),
            positive=settled.target.positive,
        )
        test_rows = tuple(tests) if len(settled.test) else None
        return ScaledData(training=data, test=test_rows, preprocessing=records)


class _Preparations(Mapping[str, Preparation]):
    """What is done to the columns under each input scaling, without an array being made."""

    def __init__(self, data: _ByScaling) -> None:
        self._data = data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, key: str) -> Preparation:
        return self._data.preparation(key)


def _rows(settled: _Settled, record: Record, scaling: TargetScaling, rows: Ints) -> Rows:
    target = settled.target
    if target.task is Task.CLASSIFICATION:
        y = target.labels[rows].astype(np.float32)
    else:
        y = scale_target(scaling, target.values[rows])
    return Rows(x=preprocessing.apply(record, settled.features, rows), y=y)
