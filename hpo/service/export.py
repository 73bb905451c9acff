"""All trials of a study as one file: CSV, JSON or Parquet, written page by page."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from hpo.errors import lookup
from hpo.service import results, specfile
from hpo.service.flat import Row, flat, write_csv
from hpo.space import Range
from hpo.storage.base import Storage
from hpo.study import StudySpec
from hpo.trial import FACTS

BATCH = 10_000  # rows of a row group
PAGE = 1_000  # rows of a piece of text

COLUMNS = {
    "number": pa.int64(),
    "state": pa.string(),
    "reason": pa.string(),
    "value": pa.float64(),
    "stderr": pa.float64(),
    "epochs": pa.int64(),
    "best_epoch": pa.int64(),
    "retry_of": pa.int64(),
    "started_at": pa.string(),
    "finished_at": pa.string(),
}

FACT_COLUMNS = [f"facts.{name}" for name in FACTS]

Records = Iterator[dict[str, Any]]
Pieces = Callable[[Records, StudySpec], Iterator[bytes]]


def _csv(records: Records, spec: StudySpec) -> Iterator[bytes]:
    names = schema_of(spec).names
    records, heading = _by_column(records, spec), True
    while (batch := list(itertools.islice(records, PAGE))) or heading:
        text = io.StringIO(newline="")
        write_csv(batch, text, names, heading=heading)
        yield text.getvalue().encode()
        heading = False


def _json(records: Records, _spec: StudySpec) -> Iterator[bytes]:
    mark = "["
    while batch := list(itertools.islice(records, PAGE)):
        lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) for record in batch)
        yield (mark + ",".join(f"\n  {line}" for line in lines)).encode()
        mark = ","
    yield b"[]\n" if mark == "[" else b"\n]\n"


def _parquet(records: Records, spec: StudySpec) -> Iterator[bytes]:
    schema, written = schema_of(spec), io.BytesIO()
    records = _by_column(records, spec)
    with pq.ParquetWriter(pa.PythonFile(_Tail(written), mode="w"), schema) as writer:
        while batch := list(itertools.islice(records, BATCH)):
            rows = [flat(record) for record in batch]
            columns = [_column(rows, column) for column in schema]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            yield _taken(written)
    yield _taken(written)


class _Tail(io.RawIOBase):
    """What a writer has written since it was last taken; it believes that it writes one long file."""

    def __init__(self, kept: io.BytesIO) -> None:
        self._kept, self._n_bytes = kept, 0

    def writable(self) -> bool:
        """It only writes."""
        return True

    def tell(self) -> int:
        """How much was written in all."""
        return self._n_bytes

    def write(self, data: Any) -> int:
        """Keep it until it is taken."""
        n_bytes = self._kept.write(data)
        self._n_bytes += n_bytes
        return n_bytes


def _taken(written: io.BytesIO) -> bytes:
    data = written.getvalue()
    written.seek(0)
    written.truncate()
    return data


FORMATS: dict[str, Pieces] = {"csv": _csv, "json": _json, "parquet": _parquet}


def pieces(storage: Storage, name: str, format: str) -> Iterator[bytes]:  # noqa: A002
    """All trials of a study as a file, a piece at a time and never more than one in memory.

    Raises StudyNotFound, UnknownName for a format that is none, before the first piece.
    """
    write = lookup(FORMATS, format, "format")
    spec = specfile.from_json(storage.get_study(name).spec)
    return write(results.exported(storage, name), spec)


def export(storage: Storage, name: str, format: str, out: BinaryIO) -> None:  # noqa: A002
    """Write all trials of a study. Raises StudyNotFound, UnknownName for a format that is none."""
    for piece in pieces(storage, name, format):
        out.write(piece)


def _by_column(records: Records, spec: StudySpec) -> Records:
    """Records with the values of several objectives by metric, and feasible said of every trial."""
    metrics = [one.metric for one in spec.objectives]
    for record in records:
        values = record.get("values") or [None] * len(metrics)
        yield {
            **record,
            "values": dict(zip(metrics, values, strict=True)),
            "feasible": record.get("feasible", True),
        }


def schema_of(spec: StudySpec) -> pa.Schema:
    """The columns of a study's file: the trial's own, one for each of several objectives, whether it meets
    the constraints where there are any, one for each searched parameter, one for each fact that is noted."""
    types = [pa.field(name, kind) for name, kind in COLUMNS.items()]
    types += [pa.field(f"values.{one.metric}", pa.float64()) for one in spec.objectives]
    types += [pa.field("feasible", pa.bool_())] if spec.constraints else []
    for name, parameter in spec.parameters.searched.items():
        if isinstance(parameter, Range):
            kind = pa.int64() if parameter.is_int else pa.float64()
        else:
            kind = _type_of(parameter.choices)
        types.append(pa.field(f"params.{name}", kind))
    facts = () if spec.external else FACT_COLUMNS  # who trains elsewhere notes none
    return pa.schema([*types, *(pa.field(name, pa.float64()) for name in facts)])


def _type_of(choices: Sequence[Any]) -> pa.DataType:
    """The narrowest type that holds all choices; text when they differ in kind."""
    kinds = {type(choice) for choice in choices if choice is not None}
    table: list[tuple[set[type], pa.DataType]] = [
        ({bool}, pa.bool_()),
        ({int}, pa.int64()),
        ({int, float}, pa.float64()),
    ]
    return next((arrow for fits, arrow in table if kinds and kinds <= fits), pa.string())


def _column(rows: Iterable[Row], column: pa.Field) -> pa.Array:
    values = [row.get(column.name) for row in rows]
    if pa.types.is_string(column.type):
        values = [None if value is None else str(value) for value in values]
    return pa.array(values, type=column.type)
