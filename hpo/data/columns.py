"""Decide what each column is: a number, a date, a category, or of no use; and refuse cells that cannot be right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hpo.data.literals import (
    DATE_FORMS,
    ISO,
    MISSING_WORDS,
    are_whole,
    dates_of_form,
    parse_numbers,
    parse_plain_numbers,
)
from hpo.data.table import Array, Column, Floats64, Ints, Kind, Table
from hpo.dataset import ColumnInfo
from hpo.errors import DataError

MAX_MAGNITUDE = 1e30  # squares and float32 must hold it
_MOSTLY = 0.9  # of the cells are numbers, and more than _FEW different ones: then text is a slip
_ALMOST_ALL = 0.99
_FEW = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Category:
    """A column of categories: codes [n] into levels, -1 where empty."""

    name: str
    codes: Ints
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Input columns by what they are.

    numbers: [n, m] of any numeric type, NaN where empty; dates are numbers in days
    dates: which of number_names were dates, and the form of those that were text
    """

    numbers: Array
    number_names: tuple[str, ...]
    dates: Mapping[str, str] = field(default_factory=dict)
    categories: tuple[Category, ...] = ()


def check_keep_missing(words: Sequence[str]) -> None:
    """Raises DataError unless all words are ones that mean missing."""
    for word in words:
        if word not in MISSING_WORDS:
            known = ", ".join(repr(known) for known in MISSING_WORDS)
            raise DataError(
                f"{word!r} never means missing; those that do are {known}", field="data.keep_missing"
            )


def clean(column: Column, keep_missing: Collection[str] = ()) -> Column:
    """A text column with spaces around cells gone and words for missing made empty.

    >>> column = Column(name="c", kind=Kind.TEXT, values=np.array([0, 1, 2, -1]), levels=("a", " a ", "NA"))
    >>> clean(column).values.tolist(), clean(column).levels
    ([0, 0, -1, -1], ('a',))
    """
    missing = set(MISSING_WORDS) - set(keep_missing)
    places: dict[str, int] = {}
    codes = [
        -1 if text in missing else places.setdefault(text, len(places))
        for text in (level.strip() for level in column.levels)
    ]
    lookup = np.array([*codes, -1], dtype=np.int64)  # the last answers to -1
    return replace(column, values=lookup[column.values], levels=tuple(places))


def settle(
    table: Table, *, without: Mapping[str, str], categories: Collection[str], keep_missing: Collection[str]
) -> tuple[Features, tuple[ColumnInfo, ...]]:
    """The feature columns of a table, and what became of every column of it.

    without: columns that are no features, and why
    Raises DataError for identifiers, stray text, and infinite or huge numbers.
    """
    infos = {name: ColumnInfo(name=name, kind="dropped", note=note) for name, note in without.items()}
    kept = np.array(
        [name not in without and name not in categories for name in table.block_names], dtype=bool
    )
    numbers: list[Column] = []
    found: list[Category] = []
    in_block = {name for name, yes in zip(table.block_names, kept, strict=True) if yes}
    for name in table.names:
        if name in infos:
            continue
        if name in in_block:
            infos[name] = ColumnInfo(name=name, kind="number")
            continue
        column = table.column(name)
        if column.kind is Kind.TEXT:
            column = _from_text(column, table.comma, keep_missing, as_category=name in categories)
        if column.kind is Kind.TEXT or name in categories:
            found.append(as_category(column))
            infos[name] = ColumnInfo(name=name, kind="category", note=f"{len(found[-1].levels)} values")
        else:
            numbers.append(column)
            infos[name] = ColumnInfo(name=name, kind="date" if column.kind is Kind.DATE else "number")
    block_names = tuple(name for name in table.block_names if name in in_block)
    features = Features(
        numbers=_matrix(table, kept, numbers),
        number_names=(*block_names, *(column.name for column in numbers)),
        dates={column.name: column.form for column in numbers if column.kind is Kind.DATE},
        categories=tuple(found),
    )
    _check_finite(features)
    return features, tuple(infos[name] for name in table.names)


def settle_like(
    table: Table,
    *,
    numbers: Sequence[str],
    dates: Mapping[str, str],
    categories: Sequence[str],
    keep_missing: Collection[str],
) -> Features:
    """The features of new rows, with the kinds that an earlier table's columns had. Raises DataError."""
    for name in (*numbers, *categories):
        table.check_name(name, field="columns")
    columns = [
        number_like(table.column(name), table.comma, dates.get(name), keep_missing) for name in numbers
    ]
    features = Features(
        numbers=np.stack([column.values for column in columns], axis=1)
        if columns
        else np.empty((table.n_rows, 0)),
        number_names=tuple(numbers),
        dates=dates,
        categories=tuple(as_category(_clean_text(table.column(name), keep_missing)) for name in categories),
    )
    _check_finite(features)
    return features


def as_category(column: Column) -> Category:
    """A column's values as categories; numbers are written the short way, 3 and not 3.0."""
    if column.kind is Kind.TEXT:
        return Category(name=column.name, codes=column.values, levels=column.levels)
    present = ~np.isnan(column.values)
    values, places = np.unique(column.values[present], return_inverse=True)
    codes = np.full(len(column.values), -1, dtype=np.int64)
    codes[present] = places.reshape(-1)
    return Category(
        name=column.name, codes=codes, levels=tuple(value_text(column.kind, value) for value in values)
    )


def value_text(kind: Kind, value: float) -> str:
    """A number as the name of a class or category.

    >>> value_text(Kind.NUMBER, 3.0), value_text(Kind.NUMBER, 0.5), value_text(Kind.BOOLEAN, 1.0)
    ('3', '0.5', 'True')
    """
    if kind is Kind.BOOLEAN:
        return str(bool(value))
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def numbers_from_text(column: Column, comma: bool) -> Column | None:
    """A clean text column as numbers or dates when all its cells are such, else None."""
    values, is_number = parse_numbers(column.levels, comma)
    kind, form = Kind.NUMBER, ""
    if not is_number.all():
        dated = dates_of_form(column.levels)
        if dated is None:
            return None
        values, form = dated
        kind = Kind.DATE
    cells = np.append(values, np.nan)[column.values]
    whole = kind is Kind.NUMBER and are_whole(column.levels)
    return Column(name=column.name, kind=kind, values=cells, whole=whole, form=form)


def check_stray_text(column: Column, comma: bool) -> None:
    """Raises DataError, naming row and value, when a clean text column is all numbers but for a slip."""
    values, is_number = parse_numbers(column.levels, comma)
    codes = column.values[column.values >= 0]
    if not is_number.any():
        return
    share = float(is_number[codes].mean())
    many = len(np.unique(values[is_number])) > _FEW
    if share < (_MOSTLY if many else _ALMOST_ALL):
        return
    stray = np.append(~is_number, False)[column.values]
    row = int(np.flatnonzero(stray)[0])
    text = column.levels[column.values[row]]
    raise DataError(
        f"column {column.name!r} holds numbers, but row {row + 1:,} says {text!r}"
        f"{_others(int(stray.sum()))}; correct it, leave the cell empty if it is missing, "
        f"or name the column in data.categories or data.drop",
        field="data.source",
    )


def _others(n: int) -> str:
    return f" (and {n - 1:,} more rows are not numbers)" if n > 1 else ""


def _from_text(column: Column, comma: bool, keep_missing: Collection[str], *, as_category: bool) -> Column:
    if not as_category:
        values = parse_plain_numbers(column.levels, set(MISSING_WORDS) - set(keep_missing))
        if values is not None:
            return Column(name=column.name, kind=Kind.NUMBER, values=np.append(values, np.nan)[column.values])
    column = clean(column, keep_missing)
    if as_category:
        return column
    numbers = numbers_from_text(column, comma)
    if numbers is not None:
        return numbers
    check_stray_text(column, comma)
    n_present = int((column.values >= 0).sum())
    if len(column.levels) * 2 > n_present:
        raise DataError(
            f"column {column.name!r} has {len(column.levels):,} different texts in {n_present:,} rows, which "
            f"looks like an identifier; leave it out with data.drop: [{column.name}], or keep it with "
            f"data.categories: [{column.name}]",
            field="data.source",
        )
    return column


def _clean_text(column: Column, keep_missing: Collection[str]) -> Column:
    return clean(column, keep_missing) if column.kind is Kind.TEXT else column


def number_like(column: Column, comma: bool, date_form: str | None, keep_missing: Collection[str]) -> Column:
    """A column of new rows as the numbers, or dates, that it held before. Raises DataError with row and value.

    date_form: of a column of dates, whose texts may be ISO 8601 too; "" when it never was text. None: numbers
    """
    wanted = "number" if date_form is None else "date"
    if column.kind is not Kind.TEXT:
        if (column.kind is Kind.DATE) != (date_form is not None) and not np.isnan(column.values).all():
            raise DataError(f"column {column.name!r} holds {column.kind}s, but a {wanted} is wanted")
        return column
    column = clean(column, keep_missing)
    if date_form is None:
        values, fits = parse_numbers(column.levels, comma)
    else:
        forms = DATE_FORMS if not date_form else tuple(dict.fromkeys((date_form, ISO)))
        found = [dates_of_form([level], forms) for level in column.levels]
        values = np.array([np.nan if one is None else one[0][0] for one in found])
        fits = np.array([one is not None for one in found], dtype=bool)
    if not fits.all():
        row = int(np.flatnonzero(np.append(~fits, False)[column.values])[0])
        said = column.levels[column.values[row]]
        raise DataError(f"column {column.name!r} wants a {wanted}, but row {row + 1:,} says {_short(said)}")
    return replace(column, kind=Kind.NUMBER, values=np.append(values, np.nan)[column.values], levels=())


def _short(text: str) -> str:
    """A cell in quotes, its end left out when it is long."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _matrix(table: Table, kept: Array, columns: Sequence[Column]) -> Array:
    parts: list[Array] = []
    if table.block is not None and kept.any():
        parts.append(table.block if kept.all() else table.block[:, kept])
    if columns:
        parts.append(np.stack([column.values for column in columns], axis=1))
    if not parts:
        return np.empty((table.n_rows, 0))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _check_finite(features: Features) -> None:
    numbers = features.numbers
    if numbers.dtype.kind != "f" or numbers.size == 0:
        return
    with np.errstate(invalid="ignore"):
        bad = np.abs(numbers) > MAX_MAGNITUDE
    if bad.any():
        row, column = (int(place) for place in np.argwhere(bad)[0])
        refuse_huge(features.number_names[column], row, float(numbers[row, column]))


def check_column_finite(name: str, values: Floats64) -> None:
    """Raises DataError with row and column for an infinite or huge number."""
    bad = np.abs(values) > MAX_MAGNITUDE
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        refuse_huge(name, row, float(values[row]))


def refuse_huge(name: str, row: int, value: float) -> None:
    """Raises DataError for a number that is infinite or beyond what a network can take."""
    what = "an infinite number" if np.isinf(value) else f"{value:g}, beyond 1e30,"
    raise DataError(
        f"column {name!r} has {what} in row {row + 1:,}; correct it, or leave the cell empty if it is missing",
        field="data.source",
    )
