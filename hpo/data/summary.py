"""What a table holds, before anybody said what is to be predicted: columns by kind, and its first rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from hpo.data.columns import clean, numbers_from_text
from hpo.data.distributions import Name, distribution
from hpo.data.table import Column, Kind, Table
from hpo.dataset import ColumnInfo, Distribution
from hpo.space import Value

PREVIEW_ROWS, PREVIEW_COLUMNS, PREVIEW_CHARACTERS = 10, 100, 200
DISTRIBUTIONS = 200  # columns: nobody looks at more
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A table at a glance.

    distributions: of the first columns, and of the target where it is known
    shown: the names of the columns of `rows`, which are the first of each
    """

    sha256: str
    n_rows: int
    images: bool
    columns: tuple[ColumnInfo, ...]
    distributions: tuple[Distribution, ...]
    shown: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def summarized(table: Table, sha256: str, target: str | None = None) -> Summary:
    """The summary of a table."""
    infos, cells, distributions = [], [], []
    in_block = set(table.block_names)
    for place, name in enumerate(table.names):
        is_spread = place < DISTRIBUTIONS or name == target
        if name in in_block and not is_spread:
            infos.append(ColumnInfo(name=name, kind="number"))
            continue
        column = _typed(table.column(name), table.comma)
        infos.append(_info(column))
        if is_spread:
            distributions.append(distribution(column, _NAMED.get(column.kind, float)))
        if place < PREVIEW_COLUMNS:
            cells.append([_cell(column, row) for row in range(min(table.n_rows, PREVIEW_ROWS))])
    return Summary(
        sha256=sha256,
        n_rows=table.n_rows,
        images=table.images,
        columns=tuple(infos),
        distributions=tuple(distributions),
        shown=table.names[:PREVIEW_COLUMNS],
        rows=tuple(zip(*cells, strict=True)),
    )


def _typed(column: Column, comma: bool) -> Column:
    """A column of text that holds numbers or dates as such."""
    if column.kind is not Kind.TEXT:
        return column
    cleaned = clean(column)
    return (numbers_from_text(cleaned, comma) if cleaned.levels else None) or cleaned


def _info(column: Column) -> ColumnInfo:
    if column.kind is Kind.TEXT:
        return ColumnInfo(name=column.name, kind="category", note=f"{len(column.levels):,} values")
    return ColumnInfo(name=column.name, kind="date" if column.kind is Kind.DATE else "number")


def _cell(column: Column, row: int) -> Value:
    """One cell; None where it is empty."""
    value = column.values[row]
    if column.kind is Kind.TEXT:
        return column.levels[value][:PREVIEW_CHARACTERS] if value >= 0 else None
    number = float(value)
    if np.isnan(number):
        return None
    if column.kind is Kind.BOOLEAN:
        return bool(number)
    if column.kind is Kind.DATE:
        return _date(number)
    return int(number) if column.whole else number


def _date(days: float) -> str:
    """Days since 1970 as ISO 8601; beyond what a calendar holds, the number.

    >>> _date(20454.0), _date(20454.5), _date(1e9)
    ('2026-01-01', '2026-01-01T12:00:00', '1000000000.0 days')
    """
    try:
        moment = _BEGIN + timedelta(days=days)
    except OverflowError:
        return f"{days} days"
    text = moment.replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00")


_NAMED: dict[Kind, Name] = {Kind.DATE: _date}
