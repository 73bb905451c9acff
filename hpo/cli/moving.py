"""The verbs that move a study: pause, stop, cancel, rm."""

from __future__ import annotations

import sys
from typing import Any

import typer

from hpo.cli import session
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    StudyArgument,
    YesOption,
    plural,
    say,
    write_record,
)
from hpo.cli.where import typed
from hpo.errors import SpecError
from hpo.states import Wanted


def pause(study: StudyArgument, format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> None:  # noqa: A002
    """Hand running cohorts back and rest; `hpo resume` goes on."""
    _wish(study, Wanted.PAUSE, format, quiet=quiet)


def stop(study: StudyArgument, format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> None:  # noqa: A002
    """Start no more trials, let the running ones finish, and be COMPLETED."""
    _wish(study, Wanted.STOP, format, quiet=quiet)


def cancel(study: StudyArgument, format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> None:  # noqa: A002
    """Kill the running trials; the study is CANCELLED for good."""
    _wish(study, Wanted.CANCEL, format, quiet=quiet)


def _wish(study: str, wanted: Wanted, format: Format, *, quiet: bool) -> None:  # noqa: A002
    """Move a study or leave word for its driver; the answer is the study as `hpo show` has it."""
    with session.backend() as backend:
        record = backend.act(study, wanted.value)
    if format is not Format.TABLE:
        write_record(record, format, "")
    elif record["wanted"] is None or record["driver"] is None:
        say(f"study {study} is {record['state']}", quiet=quiet)
    else:
        who = driver_text(record)
        say(
            f"{who} was asked to {wanted} study {study}; `{typed(f'hpo watch {study}')}` follows it",
            quiet=quiet,
        )


def driver_text(record: dict[str, Any]) -> str | None:
    """The process that runs a study, in the words of `Driver`.

    >>> driver_text({"driver": {"pid": 7, "host": "box"}}), driver_text({"driver": None})
    ('process 7 on box', None)
    """
    driver = record["driver"]
    return None if driver is None else f"process {driver['pid']} on {driver['host']}"


def rm(
    study: StudyArgument,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Remove a study with all its trials."""
    with session.backend() as backend:
        n_planned = sum(backend.study(study)["states"].values())
        confirm(f"remove study {study} with its {plural(n_planned, 'trial')} for good?", yes=yes)
        backend.remove(study)
    if format is not Format.TABLE:
        write_record({"study": study, "removed": True}, format, "")
        return
    say(f"study {study} is removed", quiet=quiet)


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless --yes has answered. Raises typer.Abort for no, SpecError when nobody can answer."""
    if yes:
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # the input ended, or Ctrl-C
        print(file=sys.stderr)
        if not sys.stdin.isatty():
            raise SpecError("nobody answers; --yes does") from None
        raise
    if not agreed:
        raise typer.Abort
