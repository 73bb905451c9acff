"""The verbs that run a search: run, resume; and what they make of their options."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpo.cli import completing, session
from hpo.cli.agreeing import agreed
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    StudyArgument,
    YesOption,
    say,
    write_record,
)
from hpo.cli.running import (
    PoolChoice,
    PrecisionChoice,
    RunOptions,
    drive,
    finish,
    interrupts,
    say_data,
    say_notes,
    started_pool,
)
from hpo.cli.where import typed
from hpo.errors import SpecError

if TYPE_CHECKING:
    from hpo.asked import Asked
    from hpo.service.submit import Draft

SAMPLERS = "random, grid, sobol, coarse_to_fine, tpe, gp, cmaes or nsga2."

FileArgument = Annotated[Path | None, typer.Argument(metavar="STUDY.yaml", help="A study file.")]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", help="Built-in name, file, or id of a stored set.", autocompletion=completing.sources
    ),
]
TargetOption = Annotated[str | None, typer.Option("--target", help="The column to predict.")]
SpaceOption = Annotated[
    str | None,
    typer.Option("--space", help="A named search space (`hpo spaces`).", autocompletion=completing.spaces),
]
SamplerOption = Annotated[str | None, typer.Option("--sampler", help=SAMPLERS)]
TrialsOption = Annotated[int | None, typer.Option("--trials", help="How many trials in all.")]
EpochsOption = Annotated[int | None, typer.Option("--epochs", help="Epochs of a trial.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The study's seed.")]
NameOption = Annotated[str | None, typer.Option("--name", help="The study's name.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of a study file, with dots.")
]
PoolOption = Annotated[PoolChoice, typer.Option("--pool", help="Where trials train.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="How many workers.")]
PrecisionOption = Annotated[
    PrecisionChoice | None,
    typer.Option("--precision", help="exact, or fast: larger nets train quicker, no bits promised."),
]
LanesOption = Annotated[int | None, typer.Option("--cohort-lanes", min=1, hidden=True)]


def draft(
    file: Path | None,
    data: str | None,
    target: str | None,
    space: str | None,
    settings: list[str] | None,
    **rest: Any,
) -> Draft:
    """The study that the options of `run` and `validate` ask for. Raises SpecError."""
    from hpo.service import submit

    options = submit.Options(
        data=data, target=target, space=space, settings=submit.parse_settings(settings or []), **rest
    )
    if file is None:
        return submit.draft_of_options(options, Path.cwd())
    return submit.draft_of_file(file, options)


def run(
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
    pool: PoolOption = PoolChoice.AUTO,
    workers: WorkersOption = None,
    precision: PrecisionOption = None,
    cohort_lanes: LanesOption = None,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> int:
    """Search: a study file, or a data set with --data. Ctrl-C pauses."""
    products = session.settings().precision if precision is None else precision.value
    how = RunOptions(pool=pool, workers=workers, cohort_lanes=cohort_lanes, format=format, quiet=quiet)
    if file is None and data is None:
        raise SpecError("give a study file, or a data set with --data (`hpo data ls` shows those there are)")
    wanted = {"sampler": sampler, "trials": trials, "epochs": epochs, "seed": seed, "name": name}
    if file is not None and not file.is_file():
        draft(file, data, target, space, set_, **wanted)  # says what is wrong before any worker starts
    with interrupts() as caught, started_pool(how) as workers_, ExitStack() as stack:
        from hpo.coordinator.loop import Job
        from hpo.service import datasets, submit
        from hpo.service.notes import notes

        # The workers import torch meanwhile, which takes longer than all of this.
        asked = agreed(draft(file, data, target, space, set_, **wanted), yes=yes)
        opened = session.opener(stack)
        prepared = datasets.prepared(
            asked.spec, scalings=submit.scalings_of(asked.spec), folder=asked.folder, storage=opened
        )
        say_data(asdict(prepared.info), quiet=quiet)
        study, spec = submit.create(opened(), asked, prepared.info, precision=products)
        caught.study = study.name
        say(f"study {study.name}: {submit.sentence(spec)}", quiet=quiet)
        say_notes(notes(spec, prepared.info), quiet=quiet)
        job = Job(name=study.name, spec=spec, data=prepared)
        study = drive(opened(), workers_, job, options=how, caught=caught)
        return finish(opened(), study, how)


def resume(
    study: StudyArgument,
    trials: Annotated[int | None, typer.Option("--trials", help="A larger total of trials.")] = None,
    pool: PoolOption = PoolChoice.AUTO,
    workers: WorkersOption = None,
    cohort_lanes: LanesOption = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> int:
    """Go on with a study in this terminal, also one whose process died; with a server, there."""
    how = RunOptions(pool=pool, workers=workers, cohort_lanes=cohort_lanes, format=format, quiet=quiet)
    if session.settings().server is not None:
        return _resume_there(study, trials, how)
    with ExitStack() as stack:
        from hpo.service import lifecycle

        opened = session.opener(stack)
        found = lifecycle.resumable(opened(), study, trials=trials, is_alive=session.is_alive)
        if found.study.external:
            state = lifecycle.reopen(opened(), found).state
            say(f"study {study} is {state}: its trials can be asked for again", quiet=quiet)
            return 0
        caught = stack.enter_context(interrupts())
        caught.study = study
        workers_ = stack.enter_context(started_pool(how))
        from hpo.coordinator.loop import Job
        from hpo.service import datasets, submit
        from hpo.service.same_data import check_data

        prepared = datasets.prepared(
            found.spec,
            scalings=submit.scalings_of(found.spec),
            folder=Path(found.study.folder),
            storage=opened,
        )
        check_data(found.study, prepared.info)
        if found.dead is not None:
            say(f"{found.dead} has died; this terminal goes on with its study", quiet=quiet)
        lifecycle.reopen(opened(), found)
        job = Job(name=study, spec=found.spec, data=prepared)
        ended = drive(opened(), workers_, job, options=how, caught=caught, dead=found.dead)
        return finish(opened(), ended, how)


def _resume_there(study: str, trials: int | None, how: RunOptions) -> int:
    """Have the server's coordinator go on. Raises SpecError for an option that only a terminal can obey."""
    if how.pool is not PoolChoice.AUTO or how.workers is not None or how.cohort_lanes is not None:
        raise SpecError(
            "a server chooses its workers itself; leave --pool and --workers out", field="--server"
        )
    with session.backend() as backend:
        record = backend.resume(study, trials=trials)
    if how.format is not Format.TABLE:
        write_record(record, how.format, "")
    else:
        say(
            f"the server goes on with study {study}; `{typed(f'hpo watch {study}')}` follows it",
            quiet=how.quiet,
        )
    return 0


def asked_of(draft: Draft) -> Asked:
    """A draft as it is submitted."""
    from hpo.asked import Asked
    from hpo.service import specfile

    return Asked(tree=specfile.to_json(draft.spec), folder=draft.folder, stem=draft.stem)
