"""The verbs that look and change nothing: ls, show, trials, best, spaces."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hpo.cli import completing, session
from hpo.cli.cells import cell, clean
from hpo.cli.lineage import inherited_text, trial_text
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    StudyArgument,
    answer,
    fit,
    pairs,
    plural,
    say,
    width_of,
    write_record,
    write_rows,
)
from hpo.cli.pace import duration
from hpo.cli.phrases import (
    front_text,
    pruner_text,
    score_texts,
    split_text,
    values_by_metric,
    with_stderr,
)
from hpo.cli.rounds import notes_text
from hpo.cli.where import typed

LS_COLUMNS = ("name", "state", "trials", "metric", "value", "created", "ran for")
RARE_COLUMNS = ("stderr", "reason", "feasible", "retry_of")  # shown when some trial has them


def ls(
    state: Annotated[str | None, typer.Option("--state", help="Only studies in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 50,
    workers: Annotated[
        bool, typer.Option("--workers", help="The slots of workers instead, and what each does.")
    ] = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """The studies there are, the newest first; or the workers."""
    with session.backend() as backend:
        if workers:
            _write_workers(backend.workers(), format, quiet=quiet)
            return
        rows = list(backend.studies(state=state, limit=limit))
    if format is Format.TABLE:
        rows = [_study_row(row) for row in rows]
        if not rows:
            verb = "run" if backend.server is None else "submit"
            say(f"no studies yet; `{typed(f'hpo {verb} --data digits')}` makes one", quiet=quiet)
            return
    write_rows(rows, format, LS_COLUMNS)


def _write_workers(coordinators: list[dict[str, Any]], format: Format, *, quiet: bool) -> None:  # noqa: A002
    """The coordinators, or what each of their slots does."""
    if format is not Format.TABLE:
        write_rows(coordinators, format)
        return
    if not coordinators:
        say("no coordinator serves; `hpo serve` starts one", quiet=quiet)
        return
    rows = [_slot_row(one, slot) for one in coordinators for slot in one["slots"] or [{}]]
    write_rows(rows, format)


def _slot_row(coordinator: dict[str, Any], slot: dict[str, Any]) -> dict[str, Any]:
    """What people want to see of a slot in one line; of a coordinator without any that there is none."""
    kind = slot.get("kind") or ""
    seen_s = max(coordinator["age_s"], slot.get("seen_s") or 0.0)
    return {
        "coordinator": f"process {coordinator['pid']} on {coordinator['host']}",
        "slot": slot.get("id", "none yet"),
        "machine": slot.get("node") or coordinator["host"],
        "device": " ".join(dict.fromkeys(filter(None, [slot.get("device"), kind]))),
        "study": slot.get("study") or ("" if slot.get("ready", True) else "(starting)"),
        "lanes": slot.get("lanes"),
        "model-steps/s": None if not slot.get("study") else round(slot.get("model_steps_per_s") or 0.0),
        "seen": f"{duration(seen_s)} ago",
    }


def _study_row(record: dict[str, Any]) -> dict[str, Any]:
    """What people want to see of a study in one line."""
    first = {"value": record["values"][0]} if record.get("values") else {}
    return (
        record
        | first
        | {
            "trials": f"{record['n_finished']}/{record['n_trials']}",
            "created": _to_the_second(record["created_at"]),
            "ran for": duration(record["seconds"]),
        }
    )


def _to_the_second(time: str | None) -> str | None:
    """An ISO time without parts of a second.

    >>> _to_the_second("2026-01-02T03:04:05.600000Z"), _to_the_second(None)
    ('2026-01-02T03:04:05Z', None)
    """
    return None if time is None else f"{time[:19]}Z"


def show(
    study: StudyArgument,
    trial: Annotated[int | None, typer.Option("--trial", min=0, help="Show this trial instead.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """A study: its state, counts, data, settings, test score and who runs it; or one of its trials."""
    with session.backend() as backend:
        if trial is not None:
            found = backend.trial(study, trial)
            write_record(found, format, fit(trial_text(found, width=width_of(sys.stdout)), sys.stdout))
            return
        record = backend.study(study)
        abandoned = backend.progress(study).message
    text = fit(_study_text(record, abandoned), sys.stdout)
    notes = notes_text(record["notes"], width=width_of(sys.stdout))
    write_record(record, format, f"{text}\n\n{notes}" if notes else text)


def _study_text(record: dict[str, Any], abandoned: str | None) -> str:
    """A study as people read it; abandoned: what to say when nobody runs one that should be run."""
    from hpo.service.facts import sentence

    data, spec, driver = record["data"], record["spec"], record["driver"]
    run_by = abandoned or (f"process {driver['pid']} on {driver['host']}" if driver else None)
    searched, fixed = _searched_and_fixed(spec.get("parameters", {}))
    value = with_stderr(record["value"], record["stderr"])
    best = "-" if record["value"] is None else f"{value} (trial {record['best_number']})"
    objective = f"{record['direction']} {record['metric']}"
    if "objectives" in record:
        best = front_text(record)
        objective = " and ".join(f"{one['direction']} {one['metric']}" for one in record["objectives"])
    lines = {
        "study": record["name"],
        "state": record["state"] + (f", {record['wanted']} is asked for" if record["wanted"] else ""),
        "reason": record["reason"],
        "trials": f"{record['n_finished']} of {record['n_trials']} ({cell(record['states'])})",
        "enqueued": f"{plural(record['n_enqueued'], 'setting')} without a number yet"
        if record["n_enqueued"]
        else None,
        "objective": f"{objective} on validation rows" if data else objective,
        "constraints": ", ".join(f"{e} {c}" for e, c in spec.get("constraints", {}).items()) or None,
        "best": best,
        "best trial": sentence(record["facts"] or {}),
        "test": score_texts(record["test"] or {}) or None,
        "run by": run_by,
        **_data_lines(data),
        "stop": spec.get("stop"),
        "limits": {key: value for key, value in spec.get("limits", {}).items() if key != "retries"} or None,
        "repeats": spec.get("repeats", 1) if spec.get("repeats", 1) > 1 else None,
        "sampler": f"{spec.get('sampler', {}).get('name', '-')}, seed {spec.get('seed', 0)}",
        "warm start": ", ".join(spec.get("warm_start", [])) or None,
        "pruner": pruner_text(spec.get("pruner", {})),
        "epochs": spec.get("epochs"),
        "inherited": inherited_text(record),
        "searched": ", ".join(searched) or "-",
        "fixed": fixed or None,
        "labels": record["labels"] or None,
        "created": _to_the_second(record["created_at"]),
        "finished": _to_the_second(record["finished_at"]),
        "ran for": duration(record["seconds"]),
        "versions": record["versions"],
    }
    known = {name: value for name, value in lines.items() if value is not None}
    return pairs(known, width=width_of(sys.stdout))


def _data_lines(data: dict[str, Any]) -> dict[str, str]:
    """What a study trains on; who trains its trials elsewhere has data of his own."""
    if not data:
        return {"trained": "elsewhere, by programs that ask for trials"}
    shape = f"{plural(data['n_rows'], 'row')}, {plural(data['n_features'], 'feature')}"
    n_folds = data.get("n_folds", 1)  # a study of an earlier version has none
    return {
        "data": f"{data['source']}: {shape}, {data['task']} of {data['target']}",
        "split": split_text(n_folds, data["n_train"], data["n_validation"], data["n_test"]),
    }


def _searched_and_fixed(parameters: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The names of a study file's parameters that vary, and the values of those that do not.

    >>> _searched_and_fixed({"l2": {"low": 0.0, "high": 0.1}, "optimizer": ["sgd", "adam"], "dropout": 0.5})
    (['l2', 'optimizer'], {'dropout': 0.5})
    """
    fixed = {
        name: written.get("value") if isinstance(written, dict) else written
        for name, written in parameters.items()
        if not isinstance(written, list) and not (isinstance(written, dict) and "value" not in written)
    }
    return [name for name in parameters if name not in fixed], fixed


def trials(
    study: StudyArgument,
    sort: Annotated[str, typer.Option("--sort", help="number or value; - reverses: -value.")] = "number",
    state: Annotated[list[str] | None, typer.Option("--state", help="Only trials in this state.")] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="CONDITION", help="Such as: params.l2 < 0.01 and value >= 0.9"),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """The trials of a study."""
    with session.backend() as backend:
        rows = backend.trials(study, sort=sort, states=state or (), where=where, limit=limit)
        if format is Format.TABLE:
            metrics = [one["metric"] for one in backend.study(study).get("objectives", ())]
            found = [_trial_row(row, metrics) for row in rows]
            if not found:
                say(f"study {study} has no such trials", quiet=quiet)
                return
            empty = {name for name in RARE_COLUMNS if all(row[name] is None for row in found)}
            write_rows(
                found, format, [name for name in dict.fromkeys(itertools.chain(*found)) if name not in empty]
            )
        else:
            write_rows(rows, format)


def _trial_row(record: dict[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """What people want to see of a trial in one line. metrics: of several objectives."""
    values = {"value": record["value"]}
    if metrics:
        values = dict(zip(metrics, record.get("values") or [None] * len(metrics), strict=True))
    names = ("stderr", "epochs", "best_epoch", "reason", "feasible", "retry_of")
    rest = {name: record.get(name) for name in names}
    return {"number": record["number"], "state": record["state"], **values, **rest, **record["params"]}


def best(
    study: StudyArgument,
    top: Annotated[int | None, typer.Option("--top", min=1, help="The best N, as a list.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """The best setting of a study, with its test score."""
    from hpo.cli.running import best_report, next_commands
    from hpo.study import EXTERNAL

    with session.backend() as backend:
        if top is not None:
            found = backend.top(study, top)
            external = format is Format.TABLE and backend.study(study)["spec"].get("trainer") == EXTERNAL
            _write_top(found, format, external=external, quiet=quiet)
            return
        one, record = backend.best(study), backend.study(study)
        write_record(one, format, best_report(one, rows=bool(record["data"])))
        if format is Format.TABLE and not quiet:
            answer("\n" + next_commands(study, record["direction"]))


def _write_top(found: list[dict[str, Any]], format: Format, *, external: bool, quiet: bool) -> None:  # noqa: A002
    """The best few, and which of them cannot be told apart."""
    if format is not Format.TABLE:
        write_rows(found, format)
        return
    from hpo.service.top import sentence

    write_rows([_best_row(record) for record in found], format)
    said = sentence(found, external=external)
    if said is not None and not quiet:
        answer(fit(said, sys.stdout))


def _best_row(record: dict[str, Any]) -> dict[str, Any]:
    test = record["test"] or {}
    scored = {f"test {record['metric']}": test[record["metric"]]} if record["metric"] in test else {}
    marks = {True: "=", False: "", None: ""}
    mark = {"": marks[record["tied_with_best"]]}
    return {"number": record["number"], **values_by_metric(record), **mark, **scored, **record["params"]}


def spaces(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this one.", autocompletion=completing.spaces)
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """The named search spaces, or the text of one."""
    with session.backend() as backend:
        if name is not None:
            record = backend.space(name)
            write_record(record, format, clean(record["text"].rstrip("\n")))
            return
        write_rows(backend.spaces(), format)
