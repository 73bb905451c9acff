"""Rows to predict, from a table or from JSON: the columns that a model reads, and the target where it is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.data import delimited
from hpo.data.columns import as_category, clean, number_like, settle_like
from hpo.data.readers import read_source
from hpo.data.table import Kind, Table
from hpo.dataset import Task
from hpo.errors import BadRequest, DataError, TooLarge
from hpo.models import SavedModel
from hpo.models.preparing import CATEGORY, DATE, Column
from hpo.models.raw import raw_columns

MOST_IGNORED = 100  # names of columns that are listed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenRows:
    """n rows, ready to be predicted.

    target: class numbers (-1: not known) or values (NaN) [n], None when no column has it
    ignored: columns that the model does not read; notes: sentences for the user
    """

    n: int
    columns: Mapping[str, Column]
    target: NDArray[Any] | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def rows_of_file(saved: SavedModel, path: Path) -> GivenRows:
    """The rows of a file: CSV, TSV, Parquet, NPZ, JSON records; .gz too. Raises DataError."""
    if path.suffix.lower() == ".json":
        try:
            return rows_of_json(saved, path.read_bytes())
        except OSError as error:
            raise DataError(f"{str(path)!r} cannot be read: {error.strerror}") from None
        except BadRequest as error:
            raise DataError(f"{path} {error.detail}") from None
    try:
        table, _ = read_source(str(path), {}, Path(), None)
    except DataError as error:
        raise DataError(error.detail) from None  # its place is that of a study file
    return rows_of_table(saved, table)


def rows_of_csv(saved: SavedModel, content: bytes, *, most: int) -> GivenRows:
    """The rows of a CSV text. Raises DataError; TooLarge for more than `most` rows."""
    if not content.strip():
        raise DataError("the table is empty")
    try:
        table = delimited.read(content, ".csv")
    except DataError as error:
        raise DataError(f"the table {error.detail}") from None
    _check_most(table.n_rows, most)
    return rows_of_table(saved, table)


def rows_of_json(saved: SavedModel, content: bytes, *, most: int | None = None) -> GivenRows:
    """The rows of a JSON list of records. Raises BadRequest, DataError; TooLarge for more than `most` rows."""
    rows = _parsed(content)
    if most is not None:
        _check_most(len(rows), most)
    wanted = {column.name for column in saved.columns}
    named = list(dict.fromkeys(name for row in rows for name in row))
    columns, n = raw_columns(saved.columns, rows, saved.keep_missing)
    target, notes = None, []
    if saved.target in named and saved.target not in wanted:
        cells = [row.get(saved.target) for row in rows]
        target, note = _known(saved, [_plain(cell) for cell in cells])
        notes += [note] if note else []
    ignored = tuple(name for name in named if name not in wanted and name != saved.target)
    return GivenRows(n=n, columns=columns, target=target, ignored=ignored, notes=tuple(notes))


def rows_of_table(saved: SavedModel, table: Table) -> GivenRows:
    """The rows of a table that was read. Raises DataError with row and column."""
    wanted, names = saved.columns, set(table.names)
    absent = [column.name for column in wanted if column.name not in names]
    if absent:
        more = f" and {len(absent) - 10:,} more" if len(absent) > 10 else ""
        word = "column" if len(absent) == 1 else "columns"
        raise DataError(f"the table lacks the {word} {', '.join(map(repr, absent[:10]))}{more}")
    forms = {column.name: column.form for column in wanted if column.kind == DATE}
    try:
        features = settle_like(
            table,
            numbers=[column.name for column in wanted if column.kind != CATEGORY],
            dates=forms,
            categories=[column.name for column in wanted if column.kind == CATEGORY],
            keep_missing=saved.keep_missing,
        )
    except DataError as error:
        raise DataError(error.detail) from None  # its place is that of a study file
    columns: dict[str, Column] = {
        name: features.numbers[:, place].astype(np.float64)
        for place, name in enumerate(features.number_names)
    }
    columns |= {category.name: category for category in features.categories}
    target, note = None, ""
    if saved.target in names and saved.target not in columns:
        target, note = _target_of(saved, table)
    ignored = tuple(name for name in table.names if name not in columns and name != saved.target)
    return GivenRows(
        n=table.n_rows,
        columns=columns,
        target=target,
        ignored=ignored,
        notes=(*table.notes, *([note] if note else [])),
    )


def _check_most(n: int, most: int) -> None:
    if n > most:
        raise TooLarge(f"{n:,} rows; at most {most:,} are predicted at a time")


def _parsed(content: bytes) -> list[dict[str, Any]]:
    """A JSON list of records. Raises BadRequest."""
    try:
        rows = json.loads(content, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"is no JSON: {str(error).splitlines()[0]}"[:200]) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest('must be a list of records, such as [{"a": 1, "b": "red"}]')
    try:
        for name in {name for row in rows for name in row}:
            name.encode()
    except UnicodeEncodeError:
        raise BadRequest("has a name that is no text") from None
    return rows


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON; write null for a missing one")


def _plain(cell: Any) -> str | None:
    """A JSON cell as the text that a file would have."""
    if cell is None or isinstance(cell, dict | list):
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell).strip() or None


def _target_of(saved: SavedModel, table: Table) -> tuple[NDArray[Any] | None, str]:
    """The known targets of a table, and what to say when they are none."""
    column = table.column(saved.target)
    if saved.model.task is Task.REGRESSION:
        try:
            form = None if column.kind is not Kind.DATE else ""
            return number_like(column, table.comma, form, saved.keep_missing).values, ""
        except DataError as error:
            return None, f"Not scored: {error.detail}."
    category = as_category(clean(column, saved.keep_missing) if column.kind is Kind.TEXT else column)
    return _known(saved, [category.levels[code] if code >= 0 else None for code in category.codes])


def _known(saved: SavedModel, texts: Sequence[str | None]) -> tuple[NDArray[Any] | None, str]:
    """Targets given as texts, None where there is none; and what to say when one is none."""
    if saved.model.task is Task.REGRESSION:
        try:
            return np.array([np.nan if text is None else float(text) for text in texts]), ""
        except ValueError:
            return None, f"Not scored: not all of {saved.target} are numbers."
    place_of = {name: place for place, name in enumerate(saved.classes)}
    folded = {name.lower(): place for name, place in place_of.items()}
    places = [-1 if text is None else place_of.get(text, folded.get(text.lower(), -2)) for text in texts]
    strange = next((row for row, place in enumerate(places) if place == -2), None)
    if strange is not None:
        return None, f"Not scored: row {strange + 1:,} says {str(texts[strange])[:40]!r}, which is no class."
    return np.array(places, dtype=np.int64), ""
