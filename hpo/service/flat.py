"""Records as the flat rows of a table, and CSV whose text no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

# A cell that begins so is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = dict[str, Any]


def flat(record: Mapping[str, Any]) -> Row:
    """A record with mappings spread out under names with a dot, lists as JSON text.

    >>> flat({"number": 3, "params": {"l2": 0.1}, "labels": []})
    {'number': 3, 'params.l2': 0.1, 'labels': '[]'}
    """
    row: Row = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            row |= {f"{name}.{inner}": entry for inner, entry in flat(value).items()}
        elif isinstance(value, list | tuple):
            row[name] = json.dumps(value, ensure_ascii=False)
        else:
            row[name] = value
    return row


def csv_cell(value: Any) -> Any:
    """A value as CSV keeps it: no value is empty, text that looks like a formula gets an apostrophe.

    >>> csv_cell("=1+1"), csv_cell(-0.5), csv_cell(None), csv_cell("relu")
    ("'=1+1", -0.5, '', 'relu')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def write_csv(
    records: Iterable[Mapping[str, Any]],
    out: TextIO,
    columns: Sequence[str] | None = None,
    *,
    heading: bool = True,
) -> None:
    """Records as CSV.

    columns: the flat names in order; left out, those of all records, which are then held in memory
    heading: whether the first line names the columns
    """
    rows: Iterator[Row] = (flat(record) for record in records)
    if columns is None:
        held = list(rows)
        columns = list(dict.fromkeys(itertools.chain.from_iterable(held)))
        rows = iter(held)
    writer = csv.writer(out, lineterminator="\n")
    if heading:
        writer.writerow([csv_cell(name) for name in columns])
    writer.writerows([csv_cell(row.get(name)) for name in columns] for row in rows)
