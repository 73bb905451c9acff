"""Read CSV and TSV: encodings, delimiters and ragged lines are settled here; cells stay text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from hpo.data.arrow import from_arrow
from hpo.data.table import MAX_COLUMNS, Column, Kind, Table
from hpo.errors import DataError

_DELIMITERS = (",", ";", "\t", "|")
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_SNIFFED_LINES = 20
_SNIFFED_CHARACTERS = 4_000_000
_MAX_BYTES = 2**31 - 2  # pyarrow reads in blocks of an int32 size


def read(content: bytes, suffix: str) -> Table:
    """The table of a delimited file, all cells text. Raises DataError without a place.

    content: the file's bytes, unpacked; suffix: ".tsv" and ".tab" settle the delimiter
    """
    text, notes = _decode(content)
    if len(content) > _MAX_BYTES:
        raise DataError("is larger than 2 GiB; save it as Parquet")
    delimiter = "\t" if suffix in (".tsv", ".tab") else _delimiter(text)
    names = _header(text, delimiter)
    # pyarrow wants the line of a header without rows to end.
    arrow = _parse(text.encode() + b"\n", delimiter, len(names))
    if arrow.num_rows == 0:
        raise DataError("has a header but no rows")
    columns = tuple(_text(name, cells) for name, cells in zip(names, arrow.columns, strict=True))
    _check_closed(text, columns)
    return Table(columns=columns, comma=delimiter != ",", notes=notes)


def _decode(content: bytes) -> tuple[str, tuple[str, ...]]:
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            try:
                return content[len(bom) :].decode(encoding), ()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"is not {encoding.upper()}, though it begins like it: {error.reason}"
                ) from error
    notes: tuple[str, ...] = ()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text, notes = content.decode("latin-1"), ("The file is not UTF-8; it was read as Latin-1.",)
    if "\0" in text:
        raise DataError("is not a text file; CSV, TSV, Parquet, NPZ and IDX folders can be read")
    return text, notes


def _delimiter(text: str) -> str:
    """The delimiter that divides the first lines evenly into the most cells."""
    scores = {}
    for delimiter in _DELIMITERS:
        try:
            counts = [len(row) for row in _first_rows(text, delimiter)]
        except DataError:  # of very wide lines another delimiter makes one cell, longer than a cell may be
            counts = []
        even = len(set(counts)) == 1
        scores[delimiter] = (even and counts[0] > 1, counts[0]) if counts else (False, 0)
    return max(_DELIMITERS, key=lambda delimiter: scores[delimiter])


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    head = text[:_SNIFFED_CHARACTERS]
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        rows = [row for row in islice(reader, _SNIFFED_LINES) if row]
    except csv.Error as error:
        raise DataError(f"does not begin like a table: {error}") from error
    cut = len(head) < len(text) and len(rows) < _SNIFFED_LINES
    return rows[:-1] if cut and len(rows) > 1 else rows


def _header(text: str, delimiter: str) -> list[str]:
    rows = _first_rows(text, delimiter)
    if not rows:
        raise DataError("is empty")
    names = rows[0]
    if len(names) > MAX_COLUMNS:
        raise DataError(f"has {len(names):,} columns; at most {MAX_COLUMNS:,} are possible")
    return [name.strip() or f"column_{index}" for index, name in enumerate(names, start=1)]


def _parse(content: bytes, delimiter: str, n_columns: int) -> pa.Table:
    """All rows but the first as columns of text."""
    names = [str(index) for index in range(n_columns)]
    ragged: list[arrow_csv.InvalidRow] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            # One block and one thread: a field may not straddle blocks, and rows are numbered only so.
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                block_size=len(content) + 1,
                column_names=names,
                skip_rows_after_names=1,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"is not a table: {str(error).splitlines()[0]}") from error
    if ragged:
        raise DataError(_ragged(ragged[0], len(ragged)))
    return table


def _ragged(row: arrow_csv.InvalidRow, n_ragged: int) -> str:
    where = f"row {row.number - 1:,}" if row.number else "a row"
    more = f", and {n_ragged - 1:,} more rows like it" if n_ragged > 1 else ""
    shown = row.text if len(row.text) <= 60 else row.text[:60] + "…"
    return (
        f"has {row.expected_columns} columns, but {where} has {row.actual_columns} of them{more}: {shown!r}; "
        "quote cells that contain the delimiter, and close every quote"
    )


def _check_closed(text: str, columns: Sequence[Column]) -> None:
    """Raises DataError when a quote swallowed the rest of the file into the last row."""
    last = [column.levels[column.values[-1]] for column in columns]
    if text.count('"') % 2 and any("\n" in cell for cell in last):
        raise DataError(f"has a quote in row {len(columns[0].values):,} that is never closed")


def _text(name: str, cells: pa.ChunkedArray) -> Column:
    encoded = cells.combine_chunks() if cells.num_chunks != 1 else cells.chunk(0)
    codes = from_arrow(encoded.indices).astype(np.int64)
    levels = tuple(encoded.dictionary.to_pylist())
    return Column(name=name, kind=Kind.TEXT, values=codes, levels=levels)
