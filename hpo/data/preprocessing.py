"""Fit the preparation of input columns on training rows, as a record of JSON types, and apply it to any rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.data.columns import Category, Features, settle_like
from hpo.data.scalings import first_components, fit_scaling, n_components, transform_of
from hpo.data.table import Array, Floats64, Ints, Table
from hpo.errors import DataError

VERSION = 1
MAX_LEVELS = 100
MAX_FEATURES = 65_536
_CHUNK_CELLS = 2_000_000
_FLOAT32_MAX = float(np.finfo(np.float32).max)

Record = dict[str, Any]


def fit(
    features: Features, rows: Ints, *, images: bool = False, keep_missing: Collection[str] = ()
) -> Record:
    """The preparation that training rows ask for, scaling aside. Raises DataError when no feature is left.

    Numbers: the median for missing ones, and an indicator column where training has such. Categories:
    a column for each of the 100 most frequent levels, for the rest, for missing ones. A column that
    is constant in training is left out, but for the pixels of images.
    """
    medians, present, varies, missing = _number_facts(features.numbers, rows, images)
    names = np.array(features.number_names, dtype=object)
    dropped = {str(name): "constant" for name in names[present & ~varies]}
    dropped |= {str(name): "empty" for name in names[~present]}
    indicated = present & missing
    kept = varies & present
    categories = []
    for category in features.categories:
        entry, why = _fit_category(category, rows)
        if why:
            dropped[category.name] = why
        else:
            categories.append(entry)
    record: Record = {
        "version": VERSION,
        "images": images,
        "numbers": list(map(str, names[kept])),
        "medians": medians[kept].tolist(),
        "indicators": list(map(str, names[indicated])),
        "dates": sorted(features.dates),
        "date_forms": {name: features.dates[name] for name in sorted(features.dates)},
        "categories": categories,
        "dropped": {name: why for name, why in dropped.items() if name not in names[indicated]},
        "constant": [str(name) for name in names[indicated & ~varies]],
        "keep_missing": list(keep_missing),
    }
    return _with_names(record)


def with_scaling(record: Record, features: Features, rows: Ints, kind: str) -> Record:
    """The record with an input scaling, fitted on training rows. Raises UnknownName.

    Numbers (the pixels of images, dates) are scaled; indicators and the columns of categories stay 0 and 1
    beside them. pca and whiten act on the numbers as they are, only centered, as scikit-learn's PCA does:
    where columns have very different units the largest makes the first component, and whiten suits better.
    Every component that has any variance is kept, see `with_components`.
    """
    scaling = fit_scaling(kind, lambda: _imputed(record, features, rows), len(record["numbers"]))
    return _with_names({**record, "scaling": scaling})


def with_components(record: Record, n: int) -> Record:
    """A record of pca or whiten cut to its n first components. Raises DataError when it has fewer."""
    found = n_components(record["scaling"]) or 0
    if n > found:
        raise DataError(
            f"{n} components are asked for, but the training rows have only {found} with any variance; "
            + (f"write at most {found}" if found else "no column is a number: use another scaling"),
            field="parameters.pca_components",
        )
    return _with_names({**record, "scaling": first_components(record["scaling"], n)})


def padded(record: Record, n_features: int) -> Record:
    """The record with columns of zeros at the end, so that folds have equally many features."""
    return {**record, "padding": n_features - len(record["features"]), "n_features": n_features}


def apply(record: Mapping[str, Any], features: Features, rows: Ints | None = None) -> NDArray[np.float32]:
    """Inputs [n, n_features] float32, C-contiguous, of those rows (all unless given)."""
    if rows is None:
        rows = np.arange(_n_rows(features))
    x = np.zeros((len(rows), record["n_features"]), dtype=np.float32)
    m, start = _n_scaled(record), 0
    transform = transform_of(record["scaling"])
    for chunk in _imputed(record, features, rows):
        scaled = transform(chunk)
        # Beyond float32 is cut to its largest number.
        x[start : start + len(chunk), :m] = np.clip(scaled, -_FLOAT32_MAX, _FLOAT32_MAX, out=scaled)
        start += len(chunk)
    places = {name: place for place, name in enumerate(features.number_names)}
    for name in record["indicators"]:
        x[:, m] = np.isnan(features.numbers[rows, places[name]])
        m += 1
    by_name = {category.name: category for category in features.categories}
    for entry in record["categories"]:
        m += _one_hot(entry, by_name[entry["name"]], rows, x[:, m:])
    return x


def read_features(record: Mapping[str, Any], table: Table) -> Features:
    """The columns that the record needs, from a table of new rows. Raises DataError when one is missing or of another kind."""
    return settle_like(
        table,
        numbers=list(dict.fromkeys([*record["numbers"], *record["indicators"]])),
        dates=dict.fromkeys(record["dates"], "") | record.get("date_forms", {}),
        categories=[entry["name"] for entry in record["categories"]],
        keep_missing=record["keep_missing"],
    )


def _n_rows(features: Features) -> int:
    return (
        len(features.numbers)
        if len(features.numbers)
        else max((len(c.codes) for c in features.categories), default=0)
    )


def _number_facts(
    numbers: Array, rows: Ints, images: bool
) -> tuple[Floats64, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """[m] each over the training rows: medians, whether any is present, whether they vary, whether any is missing."""
    m = numbers.shape[1]
    yes, no = np.ones(m, dtype=bool), np.zeros(m, dtype=bool)
    if images and numbers.dtype.kind != "f":
        return np.zeros(m), yes, yes, no
    # Column by column: a second copy of a wide table would not always fit.
    medians, present, varies, missing = np.zeros(m), no.copy(), no.copy(), no.copy()
    for place in range(m):
        values = numbers[rows, place].astype(np.float64)
        known = values[~np.isnan(values)]
        missing[place] = len(known) < len(values)
        present[place] = len(known) > 0
        if len(known):
            medians[place] = np.median(known)
            varies[place] = images or known.min() != known.max()
    return medians, present, varies, missing


def _fit_category(category: Category, rows: Ints) -> tuple[Record, str]:
    codes = category.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(category.levels))
    used = sorted(np.flatnonzero(counts), key=lambda place: (-counts[place], category.levels[place]))
    entry = {
        "name": category.name,
        "levels": [category.levels[place] for place in used[:MAX_LEVELS]],
        "n_levels": len(used),
        "other": len(used) > MAX_LEVELS,
        "missing": bool((codes < 0).any()),
    }
    if not used:
        return entry, "empty"
    return entry, "constant" if len(used) == 1 and not entry["missing"] else ""


def _n_scaled(record: Mapping[str, Any]) -> int:
    """How many columns the scaling makes of the numbers."""
    found = n_components(record.get("scaling", {}))
    return len(record["numbers"]) if found is None else found


def _with_names(record: Record) -> Record:
    """The record with the names of its features, anew: what scaling does may change their number."""
    names = list(record["numbers"])
    if n_components(record.get("scaling", {})) is not None:
        names = [f"component {place + 1}" for place in range(_n_scaled(record))]
    names += [f"{name}=missing" for name in record["indicators"]]
    for entry in record["categories"]:
        names += [f"{entry['name']}={level}" for level in entry["levels"]]
        names += [f"{entry['name']} ({word})" for word in ("other", "missing") if entry[word]]
    if not names:
        raise DataError(
            "no column is left to learn from: all are constant, empty or left out", field="data.source"
        )
    if len(names) > MAX_FEATURES:
        raise DataError(
            f"gives {len(names):,} features, at most {MAX_FEATURES:,} are possible", field="data.source"
        )
    return {**record, "features": names, "n_features": len(names), "padding": 0}


def _imputed(record: Mapping[str, Any], features: Features, rows: Ints) -> Iterator[Floats64]:
    """The record's numbers of those rows, missing ones filled in, a chunk of rows [c, m] at a time."""
    places = {name: place for place, name in enumerate(features.number_names)}
    columns = np.array([places[name] for name in record["numbers"]], dtype=np.int64)
    every = len(columns) == features.numbers.shape[1] and bool((columns == np.arange(len(columns))).all())
    medians = np.array(record["medians"], dtype=np.float64)
    step = max(1, _CHUNK_CELLS // max(len(columns), 1))
    for start in range(0, len(rows), step):
        cells = features.numbers[rows[start : start + step]]
        chunk = (cells if every else cells[:, columns]).astype(np.float64)
        missing = np.isnan(chunk)
        if missing.any():
            chunk = np.where(missing, medians, chunk)
        yield chunk


def _one_hot(entry: Mapping[str, Any], category: Category, rows: Ints, x: NDArray[np.float32]) -> int:
    """Write 1 into each row's column of x; return how many columns the category has."""
    place_of = {level: place for place, level in enumerate(entry["levels"])}
    width: int = len(place_of)
    other = width if entry["other"] else -1
    width += entry["other"]
    missing = width if entry["missing"] else -1
    width += entry["missing"]
    # A level that training did not have goes to `other`, or to no column when training had no rest.
    lookup_place = np.array(
        [*(place_of.get(level, other) for level in category.levels), missing], dtype=np.int64
    )
    places = lookup_place[category.codes[rows]]
    known = np.flatnonzero(places >= 0)
    x[known, places[known]] = 1.0
    return width
