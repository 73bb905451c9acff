"""The verbs that run a search: run, resume, validate, watch."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpo.cli import session
from hpo.cli.agreeing import agreed
from hpo.cli.live import duration, open_view
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    StudyArgument,
    YesOption,
    pairs,
    plural,
    say,
    write_record,
)
from hpo.cli.running import (
    EXIT_CODES,
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
from hpo.errors import SpecError, StudyFailed, StudyOwned

if TYPE_CHECKING:
    from hpo.service.submit import Draft

LOOK_S = 0.5
GRACE_LOOKS = 10  # a QUEUED study may be about to be claimed

SAMPLERS = "random, grid, sobol, coarse_to_fine, tpe, gp, cmaes or nsga2."

FileArgument = Annotated[Path | None, typer.Argument(metavar="STUDY.yaml", help="A study file.")]
DataOption = Annotated[str | None, typer.Option("--data", help="Built-in name, file, or id of a stored set.")]
TargetOption = Annotated[str | None, typer.Option("--target", help="The column to predict.")]
SpaceOption = Annotated[str | None, typer.Option("--space", help="A named search space (`hpo spaces`).")]
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
        say_data(prepared.info, quiet=quiet)
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
    """Go on with a study in this terminal; one whose process died too."""
    how = RunOptions(pool=pool, workers=workers, cohort_lanes=cohort_lanes, format=format, quiet=quiet)
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


def validate(
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
    workers: WorkersOption = None,
    cohort_lanes: LanesOption = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """The completed study file, and what would run; nothing is stored."""
    from hpo.coordinator.capacity import Machine
    from hpo.coordinator.estimating import estimate
    from hpo.service import datasets, specfile, submit
    from hpo.service.notes import notes
    from hpo.workers.devices import memory_per_worker, worker_devices

    wanted = {"sampler": sampler, "trials": trials, "epochs": epochs, "seed": seed, "name": name}
    asked = draft(file, data, target, space, set_, **wanted)
    if asked.spec.external:
        spec = specfile.complete(asked.spec, None)
        record = {"valid": True, "spec": specfile.to_json(spec), "plan": None, "notes": []}
        write_record(record, format, f"{specfile.to_yaml(spec)}\n# {submit.sentence(spec)}")
        return
    with ExitStack() as stack:
        prepared = datasets.prepared(
            asked.spec,
            scalings=submit.scalings_of(asked.spec),
            folder=asked.folder,
            storage=session.opener(stack),
        )
    say_data(prepared.info, quiet=quiet)
    spec = specfile.complete(asked.spec, prepared.info)
    found = notes(spec, prepared.info)
    say_notes(found, quiet=quiet)
    devices = worker_devices(workers, session.settings().device)
    machine = Machine(
        n_slots=len(devices),
        memory_bytes=memory_per_worker(len(devices)),
        gpu=devices[0].startswith("cuda"),
    )
    plan = estimate(spec, prepared.info, machine, max_lanes=cohort_lanes)
    record = {"valid": True, "spec": specfile.to_json(spec), "plan": plan, "notes": found}
    write_record(record, format, f"{specfile.to_yaml(spec)}\n# would run\n{_plan_text(plan)}")


def _plan_text(plan: dict[str, Any]) -> str:
    """What would run, as people read it."""
    lanes = plan["n_lanes"] // plan["n_trials"]
    refused = {}
    if plan["infeasible"]:
        refused = {"infeasible": f"about {plan['infeasible']:.0%} of all trials, refused before they train"}
    lines = refused | {
        "trials": f"{plan['n_trials']:,}" + (f", {plural(lanes, 'network')} each" if lanes > 1 else ""),
        "cohorts": f"{plan['n_cohorts']:,}, the widest of {plural(plan['widest_lanes'], 'lane')}",
        "workers": f"{plan['workers']} on {plan['device']}",
        "memory": f"{plan['memory_bytes'] / 1e6:,.0f} MB in each worker",
        "epochs": _trained_text(plan["trained"]),
        "time": f"about {duration(plan['seconds'])}, and a few seconds to start",
    }
    return pairs({name: line for name, line in lines.items() if line is not None})


def _trained_text(share: float | None) -> str | None:
    """How many of the epochs a pruner leaves; nothing when it leaves all.

    >>> _trained_text(0.259), _trained_text(1.0)
    ('about 26% of all, since the pruner ends trials', None)
    """
    if share is None:
        return "all are counted, though the pruner will save some"
    return f"about {share:.0%} of all, since the pruner ends trials" if share < 1 else None


def watch(study: StudyArgument, format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> int:  # noqa: A002
    """Follow a study that another process runs. Ctrl-C stops looking."""
    from hpo.service import follow, results

    looks = 0
    pause = threading.Event()
    with session.storage() as storage, open_view(quiet=quiet or format is not Format.TABLE) as view:
        while True:
            progress = follow.progress(storage, study, is_alive=session.is_alive)
            view.show(progress)
            if progress.state in follow.RESTING:
                break
            looks = looks + 1 if progress.message is not None else 0
            if looks >= GRACE_LOOKS:
                raise StudyOwned(progress.message)
            pause.wait(LOOK_S)
        record = results.show(storage, study)
    ended = (
        f"study {study} is {progress.state}: {progress.n_finished} of {plural(progress.n_trials, 'trial')}"
    )
    write_record(record, format, ended)
    code = EXIT_CODES[progress.state]
    return code if code == StudyFailed.exit_code else 0
