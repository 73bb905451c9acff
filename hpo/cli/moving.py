"""The verbs that move a study: pause, stop, cancel, rm."""

from __future__ import annotations

import sys

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
    from hpo.service import lifecycle, results

    with session.storage() as storage:
        changed = lifecycle.wish(storage, study, wanted, me=session.me(), is_alive=session.is_alive)
        if format is not Format.TABLE:
            write_record(results.show(storage, study), format, "")
            return
    if changed.asked is None:
        say(f"study {study} is {changed.study.state}", quiet=quiet)
    else:
        say(
            f"{changed.asked} was asked to {wanted} study {study}; `hpo watch {study}` follows it",
            quiet=quiet,
        )


def rm(
    study: StudyArgument,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Remove a study with all its trials."""
    from hpo.service import lifecycle

    with session.storage() as storage:
        found = storage.get_study(study)
        confirm(f"remove study {study} with its {plural(found.n_planned, 'trial')} for good?", yes=yes)
        lifecycle.remove(storage, study, me=session.me(), is_alive=session.is_alive)
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
