"""Cells as people hand them over, in Python's own types: numbers, dates and texts, checked one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.errors import DataError
from hpo.models.preparing import CATEGORY, DATE, Column, InputColumn

Rows = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]

# What an empty cell looks like in a file, see hpo.data.literals.
MISSING_WORDS = ("", "NA", "N/A", "n/a", "null", "NULL", "Null", "NaN", "nan", "NAN", "?")
ISO = "iso"
MAX_MAGNITUDE = 1e30
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of categories: codes [n] into levels, -1 where empty."""

    codes: NDArray[np.int64]
    levels: tuple[str, ...]


def raw_columns(
    wanted: Sequence[InputColumn], rows: Rows, keep_missing: Sequence[str] = ()
) -> tuple[dict[str, Column], int]:
    """The columns that a model reads, and how many rows there are. Raises DataError with row and column."""
    if not rows:
        raise DataError("there are no rows to predict")
    given = rows if isinstance(rows, Mapping) else _turned(wanted, rows)
    absent = [column.name for column in wanted if column.name not in given]
    if absent:
        more = f" and {len(absent) - 10:,} more" if len(absent) > 10 else ""
        raise DataError(f"the rows lack the columns {', '.join(map(repr, absent[:10]))}{more}")
    lengths = {name: len(given[name]) for name in (column.name for column in wanted)}
    n = next(iter(lengths.values()), 0)
    odd = next((name for name, length in lengths.items() if length != n), None)
    if odd is not None:
        raise DataError(f"column {odd!r} has {lengths[odd]:,} rows, others have {n:,}")
    if n == 0:
        raise DataError("there are no rows to predict")
    missing = frozenset(MISSING_WORDS) - frozenset(keep_missing)
    return {column.name: _column(column, given[column.name], missing) for column in wanted}, n


def _turned(wanted: Sequence[InputColumn], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns; a row need not name what it has not."""
    known = {name for row in rows for name in row}
    return {column.name: [row.get(column.name) for row in rows] for column in wanted if column.name in known}


def _column(wanted: InputColumn, cells: Sequence[Any], missing: frozenset[str]) -> Column:
    if wanted.kind == CATEGORY:
        return _category(wanted, cells, missing)
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiub":
        values = cells.astype(np.float64)
    else:
        read = _days if wanted.kind == DATE else _number
        values = np.array([read(wanted, row, cell, missing) for row, cell in enumerate(cells, 1)])
    with np.errstate(invalid="ignore"):
        huge = np.flatnonzero(np.abs(values) > MAX_MAGNITUDE)
    if len(huge):
        raise DataError(
            f"column {wanted.name!r} has {values[huge[0]]:g} in row {huge[0] + 1:,}; "
            "correct it, or leave the cell empty if it is missing"
        )
    return np.asarray(values, dtype=np.float64)


def _category(wanted: InputColumn, cells: Sequence[Any], missing: frozenset[str]) -> Texts:
    for row, cell in enumerate(cells, 1):
        if isinstance(cell, Mapping | list | tuple | bytes):
            raise DataError(f"column {wanted.name!r} wants a category, but row {row:,} says {_shown(cell)}")
    texts = [_text(cell, wanted.levels) for cell in cells]
    places: dict[str, int] = {}
    codes = [-1 if text in missing else places.setdefault(text, len(places)) for text in texts]
    return Texts(np.array(codes, dtype=np.int64), tuple(places))


def _text(cell: Any, levels: Sequence[str] = ()) -> str:
    """A cell as the name of a category; whole numbers without a point, as files are read.

    >>> _text(3.0), _text(" a "), _text(None), _text(True, ["true", "false"])
    ('3', 'a', '', 'true')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool | np.bool_):
        name = str(bool(cell))
        return next((level for level in levels if level.lower() == name.lower()), name)
    if isinstance(cell, int | float | np.integer | np.floating):
        value = float(cell)
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(cell).strip()


def _number(wanted: InputColumn, row: int, cell: Any, missing: frozenset[str]) -> float:
    if cell is None or (isinstance(cell, str) and cell.strip() in missing):
        return math.nan
    try:
        if isinstance(cell, str) and "_" in cell:  # a number only to Python
            raise ValueError
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"column {wanted.name!r} wants a number, but row {row:,} says {_shown(cell)}"
        ) from None


def _days(wanted: InputColumn, row: int, cell: Any, missing: frozenset[str]) -> float:
    if cell is None or (isinstance(cell, str) and cell.strip() in missing):
        return math.nan
    try:
        if isinstance(cell, np.datetime64):
            return float(cell.astype("datetime64[us]").astype(np.int64)) / (_DAY_S * 1e6)
        if isinstance(cell, date) and not isinstance(cell, datetime):
            cell = datetime(cell.year, cell.month, cell.day)
        if isinstance(cell, str):
            cell = _moment(cell.strip(), wanted.form)
        if isinstance(cell, datetime):
            return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp() / _DAY_S
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"column {wanted.name!r} wants a date, such as 2026-01-31, but row {row:,} says {_shown(cell)}"
        ) from None


def _moment(text: str, form: str) -> datetime:
    """A date as training wrote them, or as ISO 8601. Raises ValueError."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        if form in ("", ISO):
            raise
        return datetime.strptime(text, form)


def _shown(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 40 else text[:40] + "…"
