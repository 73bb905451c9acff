"""Divide rows into training, validation and test: by fraction, by class, by column, by group, by order, in folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpo.data.table import Array, Ints
from hpo.errors import DataError
from hpo.seeds import split_seed
from hpo.study import MAX_FOLDS, SplitSpec

VALIDATION, TEST = 0.2, 0.2  # unless given
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """Row numbers, ascending: (training, validation) of each fold, one without folds; and the test rows."""

    folds: tuple[tuple[Ints, Ints], ...]
    test: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rulers:
    """What a split goes by, [n] each: class numbers, words, group numbers, sort keys, official test rows."""

    labels: Ints | None = None
    words: NDArray[np.str_] | None = None
    groups: Ints | None = None
    order: Array | None = None
    official: NDArray[np.bool_] | None = None


def divide(spec: SplitSpec, n: int, rulers: Rulers, *, seed: int, classes: Sequence[str] = ()) -> Parts:
    """Divide n rows. Raises DataError when a part stays empty or a class is missing in training.

    seed: the study's, for a split without its own
    """
    _check(spec)
    random = np.random.default_rng(split_seed(seed if spec.seed is None else spec.seed))
    rest, validation, test = _divide(spec, n, rulers, random)
    if spec.folds is not None:
        folds = _folds(spec.folds, np.union1d(rest, validation), rulers, random)
    else:
        folds = ((rest, validation),)
    parts = Parts(folds=folds, test=test)
    for training, held_back in parts.folds:
        _check_parts(n, training, held_back, test, wants_test=spec.test is not None and spec.test > 0)
        _check_classes(training, rulers.labels, classes)
    return parts


def _check(spec: SplitSpec) -> None:
    for key, fraction in (("validation", spec.validation), ("test", spec.test)):
        if fraction is not None and not 0 <= fraction < 1:
            raise DataError(f"must be from 0 to below 1, got {fraction:g}", field=f"data.split.{key}")
    validation, test = _fractions(spec)
    if validation + test >= 1:
        raise DataError(
            f"validation {validation:g} and test {test:g} leave no rows for training", field="data.split"
        )
    if spec.folds is not None and not 2 <= spec.folds <= MAX_FOLDS:
        raise DataError(f"must be from 2 to {MAX_FOLDS}, got {spec.folds}", field="data.split.folds")
    if spec.folds is not None and spec.validation:
        raise DataError(
            "folds take the place of a validation part; leave it out", field="data.split.validation"
        )
    if sum(name is not None for name in (spec.column, spec.groups, spec.order)) > 1:
        raise DataError("goes by column, by groups or by order, not by several of them", field="data.split")


def _fractions(spec: SplitSpec) -> tuple[float, float]:
    """(validation, test); with folds no validation part is held back."""
    validation = VALIDATION if spec.validation is None else spec.validation
    return 0.0 if spec.folds is not None else validation, TEST if spec.test is None else spec.test


def _divide(spec: SplitSpec, n: int, rulers: Rulers, random: Generator) -> tuple[Ints, Ints, Ints]:
    """(training, validation, test) row numbers."""
    validation, test = _fractions(spec)
    if rulers.words is not None:
        return _by_column(
            rulers.words, validation, rulers.labels, random, wants_validation=spec.folds is None
        )
    rows = np.arange(n)
    if rulers.official is not None:
        official = np.flatnonzero(rulers.official) if test > 0 else rows[:0]
        rest, held_back = _cut(np.flatnonzero(~rulers.official), validation, rulers, random)
        return rest, held_back, official
    rest, tested = _cut(rows, test, rulers, random)
    # The fractions are of all rows, so the second is a larger share of what the first cut left.
    training, held_back = _cut(rest, min(validation * n / max(len(rest), 1), 1.0), rulers, random)
    return training, held_back, tested


def _cut(rows: Ints, fraction: float, rulers: Rulers, random: Generator) -> tuple[Ints, Ints]:
    """(rest, part): about that fraction of the rows goes into the part."""
    if fraction <= 0 or len(rows) == 0:
        return rows, rows[:0]
    wanted = min(max(1, round(len(rows) * fraction)), len(rows))
    if rulers.order is not None:
        ranked = rows[np.argsort(rulers.order[rows], kind="stable")]
        part = ranked[len(rows) - wanted :]
    elif rulers.groups is not None:
        part = _whole_groups(rows, rulers.groups[rows], wanted, random)
    elif rulers.labels is not None:
        part = _stratified(rows, rulers.labels[rows], wanted, random)
    else:
        part = random.permutation(rows)[:wanted]
    part = np.sort(part)
    return np.setdiff1d(rows, part, assume_unique=True), part


def _stratified(rows: Ints, labels: Ints, wanted: int, random: Generator) -> Ints:
    """That many rows, each class by its share; the last row of a class is never taken."""
    counts = np.bincount(labels)
    shares = counts * (wanted / len(rows))
    taken = np.minimum(np.floor(shares).astype(np.int64), np.maximum(counts - 1, 0))
    # Largest remainders get the rows still missing, the larger class first, then the lower number.
    ranked = np.lexsort((np.arange(len(counts)), -counts, -(shares - np.floor(shares))))
    while taken.sum() < wanted:
        open_classes = [place for place in ranked if taken[place] < counts[place] - 1]
        if not open_classes:
            break
        for place in open_classes[: int(wanted - taken.sum())]:
            taken[place] += 1
    shuffled = random.permutation(len(rows))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(rows)) - starts[labels[by_class]]
    part: Ints = rows[by_class[rank < taken[labels[by_class]]]]
    return part


def _whole_groups(rows: Ints, groups: Ints, wanted: int, random: Generator) -> Ints:
    """Groups in random order while they fit, at least one; a group is never divided."""
    names, counts = np.unique(groups, return_counts=True)
    taken: list[int] = []
    total = 0
    for place in random.permutation(len(names)):
        if total + counts[place] / 2 <= wanted:
            taken.append(int(names[place]))
            total += int(counts[place])
    if not taken:
        taken = [int(names[np.argmin(counts)])]
    return rows[np.isin(groups, taken)]


def _by_column(
    words: NDArray[np.str_],
    validation: float,
    labels: Ints | None,
    random: Generator,
    *,
    wants_validation: bool,
) -> tuple[Ints, Ints, Ints]:
    """Parts as a column names them; without validation rows there, some of the training rows become such."""
    wrong = np.flatnonzero(~np.isin(words, PARTS))
    if len(wrong):
        raise DataError(
            f"row {wrong[0] + 1:,} says {str(words[wrong[0]])!r}; the words are train, validation and test",
            field="data.split.column",
        )
    training, held_back, test = (np.flatnonzero(words == part) for part in PARTS)
    if len(held_back) == 0 and wants_validation:
        training, held_back = _cut(training, validation, Rulers(labels=labels), random)
    return training, held_back, test


def _folds(k: int, rows: Ints, rulers: Rulers, random: Generator) -> tuple[tuple[Ints, Ints], ...]:
    """k pairs (training, validation); with an order each fold validates on what comes after its training rows."""
    if len(rows) < k:
        raise DataError(f"{len(rows)} rows are too few for {k} folds", field="data.split.folds")
    if rulers.order is not None:
        blocks = np.array_split(rows[np.argsort(rulers.order[rows], kind="stable")], k + 1)
        return tuple((np.sort(np.concatenate(blocks[: i + 1])), np.sort(blocks[i + 1])) for i in range(k))
    place = _fold_of(k, rows, rulers, random)
    return tuple((rows[place != fold], rows[place == fold]) for fold in range(k))


def _fold_of(k: int, rows: Ints, rulers: Rulers, random: Generator) -> Ints:
    """[n] the fold in which each row is validated; -1 for the only row of a class, which always trains."""
    shuffled = random.permutation(len(rows))
    place = np.empty(len(rows), dtype=np.int64)
    if rulers.groups is not None:
        groups = rulers.groups[rows]
        names, counts = np.unique(groups, return_counts=True)
        if len(names) < k:
            raise DataError(f"{len(names)} groups are too few for {k} folds", field="data.split.folds")
        sizes = np.zeros(k, dtype=np.int64)
        for index in np.argsort(-counts, kind="stable"):
            smallest = int(np.argmin(sizes))
            place[groups == names[index]] = smallest
            sizes[smallest] += counts[index]
        return place
    if rulers.labels is None:
        place[shuffled] = np.arange(len(rows)) % k
        return place
    labels = rulers.labels[rows]
    # Dealt out class after class like cards, so that folds differ by a row at most, in each class too.
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    place[by_class] = np.arange(len(rows)) % k
    alone = np.bincount(labels)[labels] == 1
    place[alone] = -1
    return place


def _check_parts(n: int, training: Ints, validation: Ints, test: Ints, *, wants_test: bool) -> None:
    if len(training) < 2 or len(validation) == 0 or (wants_test and len(test) == 0):
        raise DataError(
            f"too few rows: {len(training):,} for training, {len(validation):,} for validation and "
            f"{len(test):,} for test, of {n:,}; more rows are needed, or another split",
            field="data.split",
        )


def _check_classes(training: Ints, labels: Ints | None, classes: Sequence[str]) -> None:
    if labels is None:
        return
    counts = np.bincount(labels[training], minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if absent:
        raise DataError(
            f"no training row is of class {absent[0]!r}"
            + (f" (nor of {len(absent) - 1:,} more classes)" if len(absent) > 1 else "")
            + "; every class must be in training",
            field="data.split",
        )
