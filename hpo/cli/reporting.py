"""The verb that makes one HTML file of a study: report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hpo.cli import session
from hpo.cli.cells import clean
from hpo.cli.exporting import STANDARD_OUTPUT
from hpo.cli.output import Format, FormatOption, QuietOption, StudyArgument, fit, write_record
from hpo.files import write_whole


def report(
    study: StudyArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to; STUDY.html unless given, - is standard output."
        ),
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """One HTML file of a study to send around: figures, best settings, study file, how to do it again."""
    with session.backend() as backend:
        pieces = backend.report_html(study)
        if output == STANDARD_OUTPUT:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        file = output or Path(f"{study}.html")
        write_whole(file, pieces)
    if quiet and format is Format.TABLE:
        return
    record = {"study": study, "file": str(file), "n_bytes": file.stat().st_size}
    said = f"{file} holds the report of study {study}; any browser opens it"
    write_record(record, format, fit(clean(said), sys.stdout))
