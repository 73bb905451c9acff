"""The verb that takes all trials home: export."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hpo.cli import session
from hpo.cli.output import QuietOption, StudyArgument, say
from hpo.errors import SpecError
from hpo.files import write_whole

STANDARD_OUTPUT = Path("-")


class ExportFormat(StrEnum):
    """What an export is."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def export(
    study: StudyArgument,
    kind: Annotated[
        ExportFormat | None,
        typer.Option("-f", "--format", help="What the file is; else as its name ends, or csv."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to; - is standard output.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """All trials of a study as CSV, JSON or Parquet."""
    kind = kind or _format_of(output)
    to_stream = output is None or output == STANDARD_OUTPUT
    if to_stream and kind is ExportFormat.PARQUET and sys.stdout.isatty():
        raise SpecError("Parquet is not for a terminal; give a file with -o", field="output")
    with session.backend() as backend:
        chunks = backend.export(study, kind.value)
        if output is None or to_stream:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            return
        write_whole(output, chunks)
    say(f"{output} holds the trials of study {study}", quiet=quiet)


def _format_of(output: Path | None) -> ExportFormat:
    """What a file is by the end of its name; CSV when that says nothing."""
    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    return ExportFormat(ending) if ending in set(ExportFormat) else ExportFormat.CSV
