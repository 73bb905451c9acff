"""Rows of the tables as records of the vocabulary."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from hpo.cohort import Cohort
from hpo.states import CohortState, StudyState, TrialState, Wanted
from hpo.storage.engine import aware
from hpo.storage.tables import trials
from hpo.study import Direction, Driver, ObjectiveSpec, Study
from hpo.trial import Curve, Inheritance, Queued, Trial

# The counter of each trial state in hpo_studies.
COUNTERS = {state: f"n_{state.value.lower()}" for state in TrialState}


def driver_of(row: Row[Any]) -> Driver | None:
    """The driver a study's or cohort's row names."""
    if row.driver_token is None:
        return None
    return Driver(host=row.driver_host, pid=row.driver_pid, born=row.driver_born, token=row.driver_token)


def driver_columns(driver: Driver | None, lease_until: float | None) -> dict[str, Any]:
    """The columns that name a driver and its lease; None forgets both."""
    if driver is None:
        names = ("driver_host", "driver_pid", "driver_born", "driver_token", "lease_until")
        return dict.fromkeys(names)
    return {
        "driver_host": driver.host,
        "driver_pid": driver.pid,
        "driver_born": driver.born,
        "driver_token": driver.token,
        "lease_until": lease_until,
    }


def seconds_spent(row: Row[Any]) -> float:
    """Seconds a study has spent RUNNING; with a dead driver, up to its last renewal."""
    lives = row.driver_token is None or (row.lease_until is not None and row.lease_until > row.now)
    running = row.now - row.running_since if row.running_since is not None and lives else 0.0
    return float(row.seconds + running)


def live_of(row: Row[Any]) -> dict[str, Any]:
    """What the driver of a study's row last said of its speed; nothing once its lease has run out."""
    lives = row.live is not None and row.lease_until is not None and row.lease_until > row.now
    return json.loads(row.live) if lives else {}


def n_finished(row: Row[Any]) -> int:
    """Finished trials of a study's row; the next one's place is one more."""
    return sum(getattr(row, column) for state, column in COUNTERS.items() if state.finished)


def study_of(row: Row[Any]) -> Study:
    """A row of hpo_studies joined with its name and the database's `now`."""
    return Study(
        id=row.study_id,
        name=row.study_name,
        state=StudyState(row.state),
        reason=row.reason,
        wanted=Wanted(row.wanted),
        direction=Direction(row.direction),
        metric=row.metric,
        n_trials=row.n_trials,
        counts={state: getattr(row, column) for state, column in COUNTERS.items()},
        spec=json.loads(row.spec),
        data=json.loads(row.data),
        folder=row.folder,
        owner=row.owner,
        priority=row.priority,
        labels=json.loads(row.labels),
        versions=json.loads(row.versions),
        driver=driver_of(row),
        lease_left_s=None if row.lease_until is None else row.lease_until - row.now,
        test=None if row.test is None else json.loads(row.test),
        seconds=seconds_spent(row),
        created_at=aware(row.created_at),  # type: ignore[arg-type]  # never null
        started_at=aware(row.started_at),
        finished_at=aware(row.finished_at),
        objectives=objectives_of(row.objectives),
        notes={} if row.notes is None else json.loads(row.notes),
        counted=row.counted,
        since=row.since,
        served=row.served,
        live=live_of(row),
        n_queued=row.n_queued,
    )


def objectives_text(objectives: Sequence[ObjectiveSpec]) -> str | None:
    """Several objectives as hpo_studies keeps them; null when there is one."""
    return to_json(tuple(asdict(objective) for objective in objectives)) if objectives else None


def objectives_of(text: str | None) -> tuple[ObjectiveSpec, ...]:
    """The objectives of a row of hpo_studies."""
    return tuple(
        ObjectiveSpec(
            metric=entry["metric"],
            direction=Direction(entry["direction"]),
            on_diverged=entry.get("on_diverged", "fail"),
        )
        for entry in ([] if text is None else json.loads(text))
    )


# The columns of a trial in the order of its fields, as all statements read them.
TRIAL = [trials.c[name] for name in Trial._fields]
_STATES = {state.value: state for state in TrialState}
# Half of what json.loads takes is not for the text itself.
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _parsed(text: str) -> Any:
    """JSON as `to_json` writes it: without spaces before it."""
    return _scan(text, 0)[0]


def _values_of(text: str | None) -> tuple[float, ...]:
    return () if text is None else tuple(_parsed(text))


def _mapping_of(text: str | None) -> dict[str, Any]:
    return {} if text is None else _parsed(text)


def lineage_of(text: str | None) -> tuple[Inheritance, ...]:
    """The lineage of a row of hpo_trials."""
    return () if text is None else tuple(Inheritance(**step) for step in json.loads(text))


# What makes a field of what its column keeps, where they are not the same.
_READ: dict[str, Callable[[Any], Any]] = {
    "state": _STATES.__getitem__,
    "params": _mapping_of,
    "started_at": aware,
    "finished_at": aware,
    "facts": _mapping_of,
    "values": _values_of,
    "lineage": lineage_of,
}
_READERS = [(place, _READ[name]) for place, name in enumerate(Trial._fields) if name in _READ]


def trial_of(row: Sequence[Any]) -> Trial:
    """A row that begins with the columns of TRIAL. A page of hundreds goes through here: nothing is asked by name."""
    its = list(row)
    for place, read in _READERS:
        its[place] = read(its[place])
    return Trial._make(its[: len(TRIAL)])


def lineage_text(lineage: Sequence[Inheritance]) -> str | None:
    """A lineage as hpo_trials keeps it; null when nothing was inherited."""
    return to_json(tuple(asdict(step) for step in lineage)) if lineage else None


def queued_of(row: Row[Any]) -> Queued:
    """A row of hpo_queue."""
    return Queued(id=row.id, params=json.loads(row.params), retry_of=row.retry_of)


def cohort_of(row: Row[Any], numbers: tuple[int, ...]) -> Cohort:
    """A row of hpo_cohorts with the trials of its lanes."""
    return Cohort(
        id=row.id,
        study=row.study_id,
        state=CohortState(row.state),
        attempt=row.attempt,
        epoch=row.epoch,
        driver=driver_of(row),
        numbers=numbers,
        repeats=row.repeats,
        folds=row.folds,
        started_at=aware(row.started_at),
    )


def curve_columns(curve: Curve) -> tuple[str, bytes]:
    """A curve's columns and block as hpo_curves keeps them: little-endian whatever the machine."""
    block = array("f", curve.block)
    if sys.byteorder == "big":
        block.byteswap()
    return to_json(curve.columns), block.tobytes()


def curve_of(row: Row[Any]) -> Curve:
    """A row of hpo_curves."""
    block = array("f")
    block.frombytes(row.block)
    if sys.byteorder == "big":
        block.byteswap()
    return Curve(columns=tuple(json.loads(row.columns)), block=block)


def to_json(data: Mapping[str, Any] | tuple[Any, ...]) -> str:
    """JSON text, short and as it came."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
