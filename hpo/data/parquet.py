"""Read Parquet: numbers, booleans, dates and text by their types."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet
import pyarrow.types as types

from hpo.data.arrow import from_arrow
from hpo.data.table import MAX_COLUMNS, Column, Floats64, Kind, Table
from hpo.errors import DataError

_DAY_US = 86_400_000_000.0


def read(content: bytes, suffix: str) -> Table:
    """The table of a Parquet file. Raises DataError without a place."""
    try:
        file = arrow_parquet.ParquetFile(io.BytesIO(content))
        if len(file.schema_arrow) > MAX_COLUMNS:
            raise DataError(f"has {len(file.schema_arrow):,} columns; at most {MAX_COLUMNS:,} are possible")
        arrow = file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"is not a Parquet file: {str(error).splitlines()[0]}") from error
    columns = (
        _column(str(name), cells) for name, cells in zip(arrow.column_names, arrow.columns, strict=True)
    )
    return Table(columns=tuple(column for column in columns if not _is_index(column.name)))


def _is_index(name: str) -> bool:
    # pandas writes the row labels of a frame as this column.
    return name.startswith("__index_level_")


def _column(name: str, cells: pa.ChunkedArray) -> Column:
    kind = cells.type
    if types.is_dictionary(kind):
        cells = cells.cast(kind.value_type)
        kind = cells.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _text(name, cells)
    if types.is_temporal(kind) and not types.is_time(kind) and not types.is_duration(kind):
        return Column(name=name, kind=Kind.DATE, values=_days(cells))
    if types.is_null(kind):
        return Column(name=name, kind=Kind.NUMBER, values=np.full(len(cells), np.nan))
    if types.is_boolean(kind):
        return Column(name=name, kind=Kind.BOOLEAN, values=_floats(cells.cast(pa.int8())))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return Column(name=name, kind=Kind.NUMBER, values=_floats(cells), whole=types.is_integer(kind))
    raise DataError(f"has a column {name!r} of type {kind}, which cannot be used; leave it out of the file")


def _text(name: str, cells: pa.ChunkedArray) -> Column:
    encoded = pc.dictionary_encode(cells.cast(pa.string())).combine_chunks()
    codes = from_arrow(pc.fill_null(encoded.indices, -1)).astype(np.int64)
    return Column(name=name, kind=Kind.TEXT, values=codes, levels=tuple(encoded.dictionary.to_pylist()))


def _days(cells: pa.ChunkedArray) -> Floats64:
    return _floats(cells.cast(pa.timestamp("us"), safe=False).cast(pa.int64())) / _DAY_US


def _floats(cells: pa.ChunkedArray) -> Floats64:
    """Float64 with NaN where a cell is empty."""
    whole = pc.fill_null(cells.cast(pa.float64(), safe=False), np.nan).combine_chunks()
    return from_arrow(whole)
