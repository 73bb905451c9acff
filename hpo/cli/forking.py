"""The verb that makes a new study of an old one: fork."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from hpo.cli import session
from hpo.cli.agreeing import agreed
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    StudyArgument,
    YesOption,
    answer,
    say,
    write_record,
)
from hpo.cli.running import say_data
from hpo.errors import HpoError, SpecError


def fork(
    study: StudyArgument,
    name: Annotated[str | None, typer.Option("--name", help="What the new study is called.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What is to be different, with dots."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a study file instead; - prints it."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="One trial of a population again, by the schedule found for it.")
    ] = False,
    trial: Annotated[
        int | None, typer.Option("--trial", min=0, help="Which one to replay; the best unless given.")
    ] = None,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """A new study with the study file of this one, and what is to be different; `hpo resume` runs it."""
    from hpo.service import datasets, forking, results, submit

    if trial is not None and not replay:
        raise SpecError("says which trial to replay; give --replay too", field="trial")
    changes = submit.parse_settings(set_ or []) | ({} if name is None else {"name": name})
    with ExitStack() as stack:
        opened = session.opener(stack)
        draft = (
            forking.draft_of_replay(opened(), study, trial, changes)
            if replay
            else agreed(forking.draft_of_study(opened(), study, changes), yes=yes)
        )
        if output is not None:
            _write(forking.text_of(draft), output, quiet=quiet)
            return
        info = None
        if not draft.spec.external:
            scalings = submit.scalings_of(draft.spec)
            info = datasets.prepared(draft.spec, scalings=scalings, folder=draft.folder, storage=opened).info
            say_data(info, quiet=quiet or format is not Format.TABLE)
        precision = forking.precision_of(opened().get_study(study))
        new, spec = submit.create(opened(), draft, info, precision=precision)
        if format is not Format.TABLE:
            write_record(results.show(opened(), new.name), format, "")
            return
    runs = "" if spec.external else f"; `hpo resume {new.name}` runs it"
    say(f"study {new.name}: {submit.sentence(spec)}{runs}", quiet=quiet)


def _write(text: str, output: Path, *, quiet: bool) -> None:
    """The study file to where it is wanted. Raises HpoError."""
    if str(output) == "-":
        answer(text.rstrip("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HpoError(f"{str(output)!r} cannot be written: {error.strerror}") from None
    say(f"{output} holds the study file; `hpo run {output}` runs it", quiet=quiet)
