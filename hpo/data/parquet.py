"""Read Parquet: numbers, booleans, dates and text by their types."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet
import pyarrow.types as types

from hpo.data.arrow import from_arrow
from hpo.data.inflate import check_inflated
from hpo.data.table import MAX_COLUMNS, Column, Floats64, Kind, Table
from hpo.errors import DataError

_DAY_US = 86_400_000_000.0
_CELL_BYTES = 8  # of a number, and of a code into a dictionary


def read(content: bytes, suffix: str) -> Table:
    """The table of a Parquet file. Raises DataError without a place."""
    try:
        schema = arrow_parquet.read_schema(io.BytesIO(content))
        if len(schema) > MAX_COLUMNS:
            raise DataError(f"has {len(schema):,} columns; at most {MAX_COLUMNS:,} are possible")
        for field in schema:
            _check_type(field.name, field.type)
        # Text stays the dictionary it is packed as: written out, a short file could fill any memory.
        texts = [field.name for field in schema if _is_text(field.type)]
        file = arrow_parquet.ParquetFile(io.BytesIO(content), read_dictionary=texts)
        _check_size(file.metadata, len(content))
        arrow = file.read()
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(
            f"is not a Parquet file: {(str(error) or 'damaged').splitlines()[0][:200]}"
        ) from error
    columns = (
        _column(str(name), cells) for name, cells in zip(arrow.column_names, arrow.columns, strict=True)
    )
    return Table(columns=tuple(column for column in columns if not _is_index(column.name)))


def _check_size(metadata: arrow_parquet.FileMetaData, n_packed: int) -> None:
    """Before anything is unpacked: what the file says of its pages, and what its cells take as numbers.

    The pages alone say little: a thousand million equal cells are packed in a few bytes.
    """
    groups = range(metadata.num_row_groups)
    check_inflated(sum(metadata.row_group(place).total_byte_size for place in groups), n_packed)
    check_inflated(metadata.num_rows * metadata.num_columns * _CELL_BYTES, n_packed)


def _is_index(name: str) -> bool:
    # pandas writes the row labels of a frame as this column.
    return name.startswith("__index_level_")


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _check_type(name: str, kind: pa.DataType) -> None:
    """Raises DataError for a type of column that is no feature: lists, structures, bytes, durations."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    date = types.is_temporal(kind) and not types.is_time(kind) and not types.is_duration(kind)
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if not (_is_text(kind) or date or number or types.is_null(kind) or types.is_boolean(kind)):
        raise DataError(
            f"has a column {name[:60]!r} of type {str(kind)[:60]}, which cannot be used; leave it out of the file"
        )


def _column(name: str, cells: pa.ChunkedArray) -> Column:
    kind = cells.type
    if types.is_dictionary(kind):
        if _is_text(kind.value_type):
            return _text(name, cells)
        cells = cells.cast(kind.value_type)
        kind = cells.type
    if _is_text(kind):
        return _text(name, cells.dictionary_encode())
    if types.is_temporal(kind):
        return Column(name=name, kind=Kind.DATE, values=_days(cells))
    if types.is_null(kind):
        return Column(name=name, kind=Kind.NUMBER, values=np.full(len(cells), np.nan))
    if types.is_boolean(kind):
        return Column(name=name, kind=Kind.BOOLEAN, values=_floats(cells.cast(pa.int8())))
    return Column(name=name, kind=Kind.NUMBER, values=_floats(cells), whole=types.is_integer(kind))


def _text(name: str, cells: pa.ChunkedArray) -> Column:
    """Texts by codes in the order in which they first occur; a dictionary may name more, or one twice."""
    encoded = cells.unify_dictionaries().combine_chunks()
    codes = from_arrow(pc.fill_null(encoded.indices.cast(pa.int64()), -1)).astype(np.int64)
    texts = encoded.dictionary.to_pylist()
    used, first = np.unique(codes, return_index=True)
    places: dict[str, int] = {}
    moved = np.full(len(texts) + 1, -1, dtype=np.int64)  # the last answers to -1
    for code in used[np.argsort(first)]:
        if code >= 0 and texts[code] is not None:
            moved[code] = places.setdefault(texts[code], len(places))
    return Column(name=name, kind=Kind.TEXT, values=moved[codes], levels=tuple(places))


def _days(cells: pa.ChunkedArray) -> Floats64:
    return _floats(cells.cast(pa.timestamp("us"), safe=False).cast(pa.int64())) / _DAY_US


def _floats(cells: pa.ChunkedArray) -> Floats64:
    """Float64 with NaN where a cell is empty."""
    whole = pc.fill_null(cells.cast(pa.float64(), safe=False), np.nan).combine_chunks()
    return from_arrow(whole)
