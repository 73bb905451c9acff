"""The verb that makes a new study of an old one: fork."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from hpo.service.submit import Draft


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
    from hpo.service import forking, submit

    if trial is not None and not replay:
        raise SpecError("says which trial to replay; give --replay too", field="trial")
    changes = submit.parse_settings(set_ or []) | ({} if name is None else {"name": name})
    if output is not None:
        _write(forking.text_of(_draft(study, changes, replay=replay, trial=trial)), output, quiet=quiet)
        return
    with session.backend() as backend:
        if not replay:
            written = forking.draft_of_record(backend.study(study), changes)
            if (total := agreed(written, yes=yes).spec.trials) != written.spec.trials:
                changes["trials"] = total
        new = backend.fork(study, changes, replay=replay, trial=trial)
        _tell(new, format, quiet=quiet)


def _draft(study: str, changes: dict[str, Any], *, replay: bool, trial: int | None) -> Draft:
    """The study file that a fork would have. Raises SpecError."""
    from hpo.service import forking

    if replay:
        with session.storage() as storage:
            return forking.draft_of_replay(storage, study, trial, changes)
    with session.backend() as backend:
        return forking.draft_of_record(backend.study(study), changes)


def _tell(new: dict[str, Any], format: Format, *, quiet: bool) -> None:  # noqa: A002
    """What the new study is, and who runs it."""
    from hpo.service import specfile, submit
    from hpo.study import EXTERNAL

    say_data(new["data"], quiet=quiet or format is not Format.TABLE)
    if format is not Format.TABLE:
        write_record(new, format, "")
        return
    sentence = submit.sentence(specfile.from_json(new["spec"]))
    who = "the server runs it" if new["served"] else f"`hpo resume {new['name']}` runs it"
    if new["spec"].get("trainer") == EXTERNAL:
        who = "its trials can be asked for"
    say(f"study {new['name']}: {sentence}; {who}", quiet=quiet)


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
