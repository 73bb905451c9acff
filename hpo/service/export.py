"""All trials of a study as one file: CSV, JSON or Parquet, written page by page."""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from hpo.errors import HpoError, lookup
from hpo.service import results, specfile
from hpo.service.flat import Row, flat, write_csv
from hpo.space import Range
from hpo.storage.base import Storage
from hpo.study import StudySpec
from hpo.trial import FACTS

BATCH = 10_000  # rows of a row group

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
Write = Callable[[Records, StudySpec, BinaryIO], None]


def _write_csv(records: Records, spec: StudySpec, out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    write_csv(_by_column(records, spec), text, schema_of(spec).names)
    text.detach()


def _write_json(records: Records, spec: StudySpec, out: BinaryIO) -> None:
    mark = "["
    for record in records:
        out.write(f"{mark}\n  {json.dumps(record, ensure_ascii=False, allow_nan=False)}".encode())
        mark = ","
    out.write(b"[]\n" if mark == "[" else b"\n]\n")


def _write_parquet(records: Records, spec: StudySpec, out: BinaryIO) -> None:
    schema = schema_of(spec)
    records = _by_column(records, spec)
    with pq.ParquetWriter(out, schema) as writer:
        while batch := list(itertools.islice(records, BATCH)):
            rows = [flat(record) for record in batch]
            columns = [_column(rows, column) for column in schema]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


WRITERS: dict[str, Write] = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}


def export(storage: Storage, name: str, format: str, out: BinaryIO) -> None:  # noqa: A002
    """Write all trials of a study. Raises StudyNotFound, UnknownName for a format that is none."""
    write = lookup(WRITERS, format, "format")
    spec = specfile.from_json(storage.get_study(name).spec)
    write(results.exported(storage, name), spec, out)


def export_to(storage: Storage, name: str, format: str, path: Path) -> None:  # noqa: A002
    """The same into a file, which is there whole or not at all. Raises HpoError when it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as out:
            export(storage, name, format, out)
        part.replace(path)
    except OSError as error:
        raise HpoError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


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
    the constraints where there are any, one for each searched parameter, one for each fact."""
    types = [pa.field(name, kind) for name, kind in COLUMNS.items()]
    types += [pa.field(f"values.{one.metric}", pa.float64()) for one in spec.objectives]
    types += [pa.field("feasible", pa.bool_())] if spec.constraints else []
    for name, parameter in spec.parameters.searched.items():
        if isinstance(parameter, Range):
            kind = pa.int64() if parameter.is_int else pa.float64()
        else:
            kind = _type_of(parameter.choices)
        types.append(pa.field(f"params.{name}", kind))
    return pa.schema([*types, *(pa.field(name, pa.float64()) for name in FACT_COLUMNS)])


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
