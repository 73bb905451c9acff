"""Records of the vocabulary as JSON types: times in UTC with Z, NaN and infinities null."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from hpo.dataset import DatasetInfo
from hpo.service.resting import counts_of
from hpo.study import Study
from hpo.trial import Trial

_PLAIN = frozenset({type(None), bool, int, str})


def plain(value: Any) -> Any:
    """A value as JSON types.

    >>> plain({"a": (1, float("nan")), "b": datetime(2026, 1, 2, 3, 4, 5)})
    {'a': [1, None], 'b': '2026-01-02T03:04:05Z'}
    """
    kind = type(value)
    if kind in _PLAIN:  # most values by far, and asking for abstract classes takes a microsecond each
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(entry) for entry in value]
    return value


def time_text(moment: datetime) -> str:
    """A time as ISO 8601 in UTC with Z; one without a zone is UTC already.

    >>> time_text(datetime(2026, 1, 2, 3, 4, 5, 600000))
    '2026-01-02T03:04:05.600000Z'
    """
    if moment.tzinfo is not UTC:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment.isoformat()[:-6]}Z"  # without +00:00


def trial_record(trial: Trial) -> dict[str, Any]:
    """A trial as `hpo trials -f json` shows it; what most studies have no use for is left out where it says nothing."""
    return {
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "value": plain(trial.value),
        "stderr": plain(trial.stderr),
        "params": dict(trial.params),
        "epochs": trial.epochs,
        "best_epoch": trial.best_epoch,
        "retry_of": trial.retry_of,
        "started_at": None if trial.started_at is None else time_text(trial.started_at),
        "finished_at": None if trial.finished_at is None else time_text(trial.finished_at),
        **_rare(trial),
    }


def _rare(trial: Trial) -> dict[str, Any]:
    """Values of several objectives, a broken constraint, a lineage: each where there is one."""
    if trial.feasible and not trial.values and not trial.lineage:
        return {}
    rare = {
        "values": plain(trial.values),
        "feasible": None if trial.feasible else False,
        "lineage": lineage_record(trial),
    }
    return {name: entry for name, entry in rare.items() if entry not in (None, [])}


def lineage_record(trial: Trial) -> list[dict[str, Any]]:
    """What a trial inherited: after which epoch, from which trial, and all its searched values from then on."""
    return [{"epoch": s.epoch, "source": s.source, "params": plain(s.params)} for s in trial.lineage]


def exported_record(trial: Trial) -> dict[str, Any]:
    """A trial as exports show it: with the facts noted while it trained."""
    return trial_record(trial) | {"facts": plain(trial.facts)}


def objectives_record(study: Study, trial: Trial | None) -> dict[str, Any]:
    """The objectives of a study and a trial's value in each, where there are several; else nothing."""
    if not study.objectives:
        return {}
    named = [{"metric": one.metric, "direction": plain(one.direction)} for one in study.objectives]
    return {"objectives": named, "values": None if trial is None else plain(trial.values)}


def counts_record(study: Study) -> dict[str, int]:
    """How many trials there are by state, without the states that no trial is in."""
    return {state.value: n for state, n in counts_of(study).items() if n}


def study_summary(study: Study, *, best: Trial | None) -> dict[str, Any]:
    """A study in one line, as `hpo ls -f json` lists it."""
    return {
        "name": study.name,
        "owner": study.owner,
        "state": study.state.value,
        "reason": study.reason,
        "n_trials": study.n_trials,
        "n_finished": study.n_finished,
        "states": counts_record(study),
        "metric": study.metric,
        "value": None if best is None else plain(best.value),
        **objectives_record(study, best),
        "labels": dict(study.labels),
        "created_at": plain(study.created_at),
        "finished_at": plain(study.finished_at),
        "seconds": plain(study.seconds),
    }


def study_record(study: Study, *, best: Trial | None) -> dict[str, Any]:
    """All there is to say of a study, as `hpo show -f json` prints it."""
    driver = study.driver
    return study_summary(study, best=best) | {
        "wanted": study.wanted.value or None,
        "direction": study.direction.value,
        "best_number": None if best is None else best.number,
        "stderr": None if best is None else plain(best.stderr),
        "facts": None if best is None else plain(best.facts),
        "counted": study.counted,
        "test": plain(study.test),
        "notes": plain(study.notes),
        "priority": study.priority,
        "served": study.served,
        "live": plain(study.live),
        "driver": None if driver is None else {"host": driver.host, "pid": driver.pid},
        "lease_left_s": plain(study.lease_left_s),
        "started_at": plain(study.started_at),
        "folder": study.folder,
        "data": study.data,  # this and the study file are JSON already, and most of the record
        "spec": study.spec,
        "versions": dict(study.versions),
    }


def info_record(info: DatasetInfo) -> dict[str, Any]:
    """What is known of a data set, as the database keeps it with a study."""
    record: dict[str, Any] = plain(asdict(info))
    return record
