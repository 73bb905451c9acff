"""The verb that says what ails a study or a trial, and what to try next."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hpo.cli import session
from hpo.cli.output import Format, FormatOption, QuietOption, StudyArgument, answer, fit, say, write_record
from hpo.cli.where import typed
from hpo.errors import SpecError


def diagnose(
    study: StudyArgument,
    trial: Annotated[int | None, typer.Option("--trial", min=0, help="Of this trial instead.")] = None,
    next_: Annotated[
        bool, typer.Option("--next", help="Print the study file to try next; `hpo run` takes it.")
    ] = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """What ails a study, or one of its trials, in sentences with their numbers; and what to try next."""
    from hpo.service import diagnosing

    if next_ and trial is not None:
        raise SpecError("the next study follows from all trials; leave --trial out", field="--next")
    with session.backend() as backend:
        found = backend.diagnosis(study, trial=trial)
        if next_:
            answer(diagnosing.next_file(found, backend.study(study)).rstrip("\n"))
            return
    write_record(found, format, fit(_text(found), sys.stdout))
    if format is Format.TABLE and trial is None:
        command = typed(f"hpo diagnose {study} --next")
        say(f"`{command} > next.yaml` writes the study to try next", quiet=quiet)


def _text(found: Mapping[str, Any]) -> str:
    """Findings as people read them.

    >>> _text({"study": "wine", "trial": 3, "findings": []})
    'trial 3 of wine: nothing ails it'
    """
    what = found["study"] if found["trial"] is None else f"trial {found['trial']} of {found['study']}"
    if not found["findings"]:
        return f"{what}: nothing ails it"
    lines = [f"{what}:"]
    for one in found["findings"]:
        lines += [f"  {one['severity']}  {one['sentence']}", f"          try: {one['cure']}"]
    return "\n".join(lines)
