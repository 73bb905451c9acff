"""How answers are written: a table for people, JSON or CSV on standard output for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

Record = Mapping[str, Any]


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("-f", "--format", help="How the answer is written.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the answer and errors.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name (`hpo ls`).")]


def say(sentence: str, *, quiet: bool = False) -> None:
    """A sentence for the person at the terminal, on standard error, so that answers stay clean."""
    if quiet:
        return
    with contextlib.suppress(BrokenPipeError):  # nobody reads; the work goes on
        print(clean(sentence), file=sys.stderr, flush=True)


def answer(text: str) -> None:
    """A line of the answer, on standard output."""
    print(text)


def clean(text: str) -> str:
    """Text without control characters: names in a data file must not drive the terminal.

    >>> clean("a\\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def cell(value: Any) -> str:
    """A value as people read it.

    >>> cell(None), cell(0.123456789), cell(True), cell("x"), cell({"a": 1, "b": 2})
    ('-', '0.123457', 'true', 'x', 'a 1, b 2')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(entry)}" for key, entry in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(cell(entry) for entry in value) or "-"
    return clean(str(value)).replace("\n", " ")


def table(rows: Iterable[Record], columns: Sequence[str] | None = None) -> str:
    """Rows under their headings, numbers to the right.

    >>> print(table([{"name": "a", "n": 5}, {"name": "bcd", "n": 12}]))
    name   n
    a      5
    bcd   12
    """
    records = list(rows)
    names = list(columns or dict.fromkeys(name for record in records for name in record))
    texts = [[cell(record.get(name)) for name in names] for record in records]
    right = [any(_is_number(record.get(name)) for record in records) for name in names]
    widths = [max(len(line[i]) for line in [names, *texts]) for i in range(len(names))]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [names, *texts]
    ]
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def pairs(record: Record, *, indent: int = 0) -> str:
    """A record as lines of name and value.

    >>> print(pairs({"name": "a", "state": None}))
    name   a
    state  -
    """
    width = max((len(name) for name in record), default=0)
    return "\n".join(
        f"{' ' * indent}{name:<{width}}  {cell(value)}".rstrip() for name, value in record.items()
    )


def write_json(record: Any) -> None:
    """One JSON document on standard output; a list or iterator of records one per line."""
    if isinstance(record, Mapping):
        print(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False))
        return
    mark = "["
    for entry in record:
        print(mark, json.dumps(entry, ensure_ascii=False, allow_nan=False), sep="\n  ", end="")
        mark = ","
    print("[]" if mark == "[" else "\n]")


def write_rows(rows: Iterable[Record], format: Format, columns: Sequence[str] | None = None) -> None:  # noqa: A002
    """A list of records in the format asked for; columns: those of the table for people."""
    if format is Format.JSON:
        write_json(rows)
    elif format is Format.CSV:
        from hpo.service.flat import write_csv

        write_csv(rows, sys.stdout)
    else:
        records = list(rows)
        print(table(records, columns) if records else "nothing here yet")


def write_record(record: Record, format: Format, text: str) -> None:  # noqa: A002
    """One record in the format asked for; text: what people read."""
    if format is Format.TABLE:
        print(text)
    elif format is Format.JSON:
        write_json(record)
    else:
        write_rows([record], format)
