"""The verb submit: have a server, or a coordinator of this database, run a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpo.cli import session
from hpo.cli.agreeing import agreed
from hpo.cli.output import Format, FormatOption, QuietOption, YesOption, say, write_record
from hpo.cli.running import ended, say_data
from hpo.cli.searching import (
    DataOption,
    EpochsOption,
    FileArgument,
    NameOption,
    SamplerOption,
    SeedOption,
    SetOption,
    SpaceOption,
    TargetOption,
    TrialsOption,
    asked_of,
    draft,
)
from hpo.cli.watching import follow
from hpo.cli.where import typed
from hpo.errors import SpecError

if TYPE_CHECKING:
    from hpo.client.base import Backend


def submit(
    file: FileArgument = None,
    data: DataOption = None,
    target: TargetOption = None,
    space: SpaceOption = None,
    sampler: SamplerOption = None,
    trials: TrialsOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = None,
    name: NameOption = None,
    set_: SetOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end, as `hpo run` does.")] = False,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> int:
    """Have a server run a study; a data file goes along. Without a server it waits in this database."""
    if file is None and data is None:
        raise SpecError("give a study file, or a data set with --data (`hpo data ls` shows those there are)")
    wanted = {"sampler": sampler, "trials": trials, "epochs": epochs, "seed": seed, "name": name}
    asked = agreed(draft(file, data, target, space, set_, **wanted), yes=yes)
    with session.backend() as backend:
        record = backend.submit(asked_of(asked))
        _tell(record, quiet=quiet or format is not Format.TABLE)
        if watch:
            follow(backend, record["name"], format, quiet=quiet)
            return ended(
                backend.study(record["name"]),
                lambda: backend.best(record["name"]),
                format=format,
                quiet=quiet,
            )
        if format is not Format.TABLE:
            write_record(record, format, "")
        else:
            say(_who_runs(backend, record), quiet=quiet)
    return 0


def _tell(record: dict[str, Any], *, quiet: bool) -> None:
    """What was submitted."""
    from hpo.service import specfile
    from hpo.service.submit import sentence

    say_data(record["data"], quiet=quiet)
    say(f"study {record['name']}: {sentence(specfile.from_json(record['spec']))}", quiet=quiet)


def _who_runs(backend: Backend, record: dict[str, Any]) -> str:
    """Who will train it, and how to follow that."""
    from hpo.study import EXTERNAL

    study = record["name"]
    follows = f"`{typed(f'hpo watch {study}')}` follows it"
    if record["spec"].get("trainer") == EXTERNAL:
        return f"the trials of study {study} can be asked for; {follows}"
    message = backend.progress(study).message
    if message is not None:
        return message
    who = "the coordinator of this database" if backend.server is None else backend.server
    return f"{who} runs study {study}; {follows}"
