"""The verb validate: the completed study file, and what would run."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hpo.cli import session
from hpo.cli.output import Format, FormatOption, QuietOption, pairs, plural, write_record
from hpo.cli.pace import duration
from hpo.cli.running import say_data, say_notes
from hpo.cli.searching import (
    DataOption,
    EpochsOption,
    FileArgument,
    LanesOption,
    NameOption,
    SamplerOption,
    SeedOption,
    SetOption,
    SpaceOption,
    TargetOption,
    TrialsOption,
    WorkersOption,
    asked_of,
    draft,
)
from hpo.errors import SpecError

if TYPE_CHECKING:
    from hpo.coordinator.capacity import Machine
    from hpo.service.submit import Draft


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
    """The completed study file, and what would run, here or on the server; nothing is stored."""
    wanted = {"sampler": sampler, "trials": trials, "epochs": epochs, "seed": seed, "name": name}
    asked = draft(file, data, target, space, set_, **wanted)
    if session.settings().server is None:
        record = _valid_here(asked, workers, cohort_lanes, quiet=quiet)
    elif workers is not None or cohort_lanes is not None:
        raise SpecError("a server reckons with its own workers; leave --workers out", field="--server")
    else:
        with session.backend() as backend:
            record = backend.validate(asked_of(asked))
    say_notes(record["notes"], quiet=quiet)
    write_record(record, format, _text(record))


def _valid_here(asked: Draft, workers: int | None, max_lanes: int | None, *, quiet: bool) -> dict[str, Any]:
    """What a study would take on this machine. Raises SpecError, DataError."""
    from hpo.coordinator.estimating import estimate
    from hpo.service import datasets, specfile, submission, submit

    if asked.spec.external:
        return submission.valid_record(specfile.complete(asked.spec, None), None, None)
    with ExitStack() as stack:
        prepared = datasets.prepared(
            asked.spec,
            scalings=submit.scalings_of(asked.spec),
            folder=asked.folder,
            storage=session.opener(stack),
        )
    say_data(asdict(prepared.info), quiet=quiet)
    spec = specfile.complete(asked.spec, prepared.info)
    plan = estimate(spec, prepared.info, _machine(workers), max_lanes=max_lanes)
    return submission.valid_record(spec, prepared.info, plan)


def _machine(workers: int | None) -> Machine:
    """What a pool of this machine would be."""
    from hpo.coordinator.capacity import Machine, kinds_of
    from hpo.workers.devices import memory_per_worker, worker_devices

    devices = worker_devices(workers, session.settings().device)
    return Machine(
        n_slots=len(devices),
        memory_bytes=memory_per_worker(len(devices)),
        kinds=kinds_of((device, "cpu") for device in devices),
    )


def _text(record: dict[str, Any]) -> str:
    """The study file, and below it what would run."""
    from hpo.service import specfile, submit

    spec = specfile.from_json(record["spec"])
    if record["plan"] is None:
        return f"{specfile.to_yaml(spec)}\n# {submit.sentence(spec)}"
    return f"{specfile.to_yaml(spec)}\n# would run\n{_plan_text(record['plan'])}"


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
