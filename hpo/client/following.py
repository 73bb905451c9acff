"""Follow a study until nothing more will happen to it by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hpo.client.base import Backend, Record
from hpo.errors import StudyOwned
from hpo.progress import Event, Progress
from hpo.states import StudyState, TrialState
from hpo.study import EXTERNAL

# States in which nothing more will happen by itself.
RESTING = frozenset({StudyState.PAUSED, StudyState.COMPLETED, StudyState.CANCELLED, StudyState.FAILED})

# What an event says of a study's driver, as `live` of its record does.
LIVE = ("trials_per_s", "model_steps_per_s", "seconds_left", "n_slots", "n_busy")

LOOK_S = 0.5
GRACE_LOOKS = 10  # a study that nobody runs may be about to be claimed

Wait = Callable[[float], object]


def followed(
    backend: Backend, name: str, *, events: bool = True, wait: Wait = time.sleep
) -> Iterator[Progress]:
    """How far a study is, again and again until it rests.

    events: of a server are waited for; else it is asked twice a second. wait: lets so many seconds pass
    Raises StudyNotFound, and StudyOwned with what to do when nobody runs it and nobody comes to.
    """
    if backend.server is None or not events:
        yield from _polled(backend, name, wait)
        return
    record = backend.study(name)
    yield progress_of(record)
    if StudyState(record["state"]) in RESTING:
        return
    for event in backend.events(name, after="now"):
        record = updated(record, event)
        if StudyState(record["state"]) in RESTING:
            break
        yield progress_of(record)
    yield backend.progress(name)


def _polled(backend: Backend, name: str, wait: Wait) -> Iterator[Progress]:
    looks = 0
    while True:
        progress = backend.progress(name)
        yield progress
        if progress.state in RESTING:
            return
        looks = 0 if progress.message is None else looks + 1
        if looks >= GRACE_LOOKS and backend.server is None:
            raise StudyOwned(progress.message)
        wait(LOOK_S)


def updated(record: Record, event: Event) -> Record:
    """A study's record after an event.

    >>> best = {"number": 3, "value": 0.9}
    >>> data = {"n_trials": 8, "counts": {"COMPLETE": 4}, "best": best, "trials_per_s": 2.0}
    >>> after = updated({"name": "a", "value": None}, Event(id="4", kind="progress", data=data))
    >>> after["value"], after["best_number"], after["states"]
    (0.9, 3, {'COMPLETE': 4})
    """
    if event.kind == "study":
        return record | dict(event.data)
    if event.kind != "progress":
        return record
    data = event.data
    best = data["best"] or {}
    found = {"value": best.get("value"), "best_number": best.get("number"), "values": best.get("values")}
    # Not over what was known: what an older server does not tell is better unknown than of an earlier moment.
    live = {name: data.get(name) for name in LIVE}
    return record | found | {"n_trials": data["n_trials"], "states": data["counts"], "live": live}


def progress_of(record: Record) -> Progress:
    """A study's record as what the live view shows.

    >>> record = {"name": "a", "state": "RUNNING", "n_trials": 8, "states": {"COMPLETE": 4}, "metric": "accuracy",
    ...     "value": 0.9, "best_number": 3, "seconds": 2.0, "live": {}, "driver": {"host": "h", "pid": 1}}
    >>> found = progress_of(record)
    >>> found.n_finished, found.best_value, found.trials_per_s, found.seconds_left, found.message
    (4, 0.9, 2.0, 2.0, None)
    """
    counts = {TrialState(state): int(n) for state, n in record["states"].items()}
    finished = sum(n for state, n in counts.items() if state.finished)
    seconds = float(record["seconds"] or 0.0)
    live: Mapping[str, Any] = record.get("live") or {}
    rate = live.get("trials_per_s") or (finished / seconds if seconds > 0 else 0.0)
    left = live.get("seconds_left")
    if left is None and rate > 0:
        left = max(0, record["n_trials"] - finished) / rate
    values = record.get("values") or [record["value"]]
    return Progress(
        study=record["name"],
        state=StudyState(record["state"]),
        n_trials=record["n_trials"],
        counts=counts,
        metric=record["metric"],
        best_number=record.get("best_number"),
        best_value=values[0],
        trials_per_s=rate,
        model_steps_per_s=live.get("model_steps_per_s") or 0.0,
        seconds=seconds,
        seconds_left=left,
        n_slots=int(live.get("n_slots") or 0),
        n_busy=int(live.get("n_busy") or 0),
        message=_message(record),
    )


def _message(record: Record) -> str | None:
    """A sentence for a study that nobody runs though somebody should."""
    name, state = record["name"], StudyState(record["state"])
    if record.get("spec", {}).get("trainer") == EXTERNAL:  # whoever trains comes and goes
        return None
    if state is StudyState.QUEUED and record.get("served") is False:
        return f"nobody runs study {name!r}; `hpo resume {name}` has the server run it"
    if state in (StudyState.RUNNING, StudyState.STOPPING) and (record.get("lease_left_s") or 0.0) < 0.0:
        who = (
            "the server's coordinator takes it up again"
            if record["served"]
            else f"`hpo resume {name}` goes on"
        )
        return f"whoever ran study {name!r} has not been heard of; {who}"
    return None
