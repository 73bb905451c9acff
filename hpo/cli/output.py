"""How answers are written: a table for people, JSON or CSV on standard output for programs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TextIO

import typer

from hpo.cli import completing
from hpo.cli.cells import Record, cell, clean
from hpo.cli.letters import broken, columns_of, padded
from hpo.cli.tables import GAP, LEAST_WIDTH, table
from hpo.cli.terminal import has_colour


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("-f", "--format", help="How the answer is written.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the answer and errors.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
StudyArgument = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="The study's name (`hpo ls`).", autocompletion=completing.studies),
]


def say(sentence: str, *, quiet: bool = False) -> None:
    """A sentence for the person at the terminal, on standard error, so that answers stay clean."""
    if quiet:
        return
    with contextlib.suppress(BrokenPipeError):  # nobody reads; the work goes on
        print(fit(clean(sentence), sys.stderr), file=sys.stderr, flush=True)


def answer(text: str) -> None:
    """A line of the answer, on standard output."""
    print(text)


def width_of(stream: TextIO) -> int | None:
    """How many characters a line of the terminal has; None where there is no terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def fit(text: str, stream: TextIO) -> str:
    """Text with its lines broken between words where the terminal's end."""
    width = width_of(stream)
    return text if width is None else "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    """A line in lines of at most a width, the further ones indented.

    >>> print(_broken("  a line of words", 10))
      a line
        of
        words
    """
    if columns_of(line) <= width:
        return line
    return "\n".join(broken(line, width, indent=" " * (len(line) - len(line.lstrip()) + 2)))


def plural(n: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "trial"), plural(1500, "row"), plural(2, "class")
    ('1 trial', '1,500 rows', '2 classes')
    """
    return f"{n:,} {word}" + ("" if n == 1 else "es" if word.endswith("s") else "s")


def pairs(record: Record, *, indent: int = 0, width: int | None = None) -> str:
    """A record as lines of name and value. width: of the terminal; a longer value goes on below itself

    >>> print(pairs({"name": "a", "state": None}))
    name   a
    state  -
    >>> print(pairs({"reason": "limits.wall_time 10m is over"}, width=30))
    reason  limits.wall_time 10m
            is over
    """
    names = {name: cell(name) for name in record}
    before = indent + max(map(columns_of, names.values()), default=0) + GAP
    room = None if width is None else width - before
    lines = []
    for name, value in record.items():
        text = cell(value)
        first, *rest = broken(text, room) if room is not None and room >= LEAST_WIDTH else [text]
        lines.append((" " * indent + padded(names[name], before - indent) + first).rstrip())
        lines += [" " * before + line for line in rest]
    return "\n".join(lines)


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
        text = table(records, columns, width=width_of(sys.stdout), colour=has_colour(sys.stdout))
        print(text if records else "nothing here yet")


def write_record(record: Record, format: Format, text: str) -> None:  # noqa: A002
    """One record in the format asked for; text: what people read."""
    if format is Format.TABLE:
        print(text)
    elif format is Format.JSON:
        write_json(record)
    else:
        write_rows([record], format)
