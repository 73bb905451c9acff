"""How answers are written: a table for people, JSON or CSV on standard output for programs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TextIO

import typer

from hpo.cli import completing

Record = Mapping[str, Any]

LEAST_WIDTH = 20  # of a column of text that is broken into lines


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
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    if len(line) <= width:
        return line
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def clean(text: str) -> str:
    """Text without control characters: names in a data file must not drive the terminal.

    >>> clean("a\\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def cell(value: Any) -> str:
    """A value as people read it.

    >>> cell(None), cell(0.123456789), cell(True), cell("x"), cell({"a": 1, "b": 2})
    ('-', '0.12346', 'true', 'x', 'a 1, b 2')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(entry)}" for key, entry in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(cell(entry) for entry in value) or "-"
    return clean(str(value)).replace("\n", " ")


def plural(n: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "trial"), plural(1500, "row"), plural(2, "class")
    ('1 trial', '1,500 rows', '2 classes')
    """
    return f"{n:,} {word}" + ("" if n == 1 else "es" if word.endswith("s") else "s")


def table(rows: Iterable[Record], columns: Sequence[str] | None = None, *, width: int | None = None) -> str:
    """Rows under their headings, numbers to the right.

    width: of the terminal; text in the last column is broken into lines to fit it

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
    if width is not None and names and not right[-1]:
        before = sum(widths[:-1]) + 2 * len(widths[:-1])
        widths[-1] = min(widths[-1], max(width - before, LEAST_WIDTH))
        texts = [line for row in texts for line in _in_lines(row, widths[-1])]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [names, *texts]
    ]
    return "\n".join(lines)


def _in_lines(row: list[str], width: int) -> list[list[str]]:
    """A row of texts as several, the last text broken to a width."""
    first, *rest = textwrap.wrap(row[-1], width, break_on_hyphens=False) or [""]
    blank = [""] * (len(row) - 1)
    return [[*row[:-1], first], *([*blank, line] for line in rest)]


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
        print(table(records, columns, width=width_of(sys.stdout)) if records else "nothing here yet")


def write_record(record: Record, format: Format, text: str) -> None:  # noqa: A002
    """One record in the format asked for; text: what people read."""
    if format is Format.TABLE:
        print(text)
    elif format is Format.JSON:
        write_json(record)
    else:
        write_rows([record], format)
