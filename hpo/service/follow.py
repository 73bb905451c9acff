"""A study that another process runs, seen through the database."""

from __future__ import annotations

from hpo.progress import Progress
from hpo.service.lifecycle import DRIVEN, IsAlive, driver_of
from hpo.service.resting import counts_of
from hpo.states import StudyState
from hpo.storage.base import Storage
from hpo.study import Study

# States in which nothing more will happen by itself.
RESTING = frozenset({StudyState.PAUSED, StudyState.COMPLETED, StudyState.CANCELLED, StudyState.FAILED})


def progress(storage: Storage, name: str, *, is_alive: IsAlive) -> Progress:
    """How far a study is. `message` says so when nobody drives one that should be driven.

    Speeds are what its driver last said, else means over the time it has been RUNNING. Raises StudyNotFound.
    """
    study = storage.get_study(name)
    found = storage.best_trials(name, 1)
    mean = study.n_finished / study.seconds if study.seconds > 0 else 0.0
    rate = study.live.get("trials_per_s") or mean
    left = study.live.get("seconds_left")
    if left is None and rate > 0:
        left = max(0, study.n_trials - study.n_finished) / rate
    return Progress(
        study=name,
        state=study.state,
        n_trials=study.n_trials,
        counts=counts_of(study),
        metric=study.metric,
        best_number=found[0].number if found else None,
        best_value=found[0].first if found else None,
        trials_per_s=rate,
        model_steps_per_s=study.live.get("model_steps_per_s") or 0.0,
        seconds=study.seconds,
        seconds_left=left,
        n_slots=study.live.get("n_slots") or 0,
        n_busy=study.live.get("n_busy") or 0,
        message=_abandoned(storage, study, is_alive),
    )


def _abandoned(storage: Storage, study: Study, is_alive: IsAlive) -> str | None:
    """What to do about a study that nobody runs; None for one that rests, is run, or waits for a coordinator there is."""
    name = study.name
    if study.external:  # whoever trains comes and goes
        return None
    if study.state is StudyState.QUEUED and study.served:
        if storage.coordinators():
            return None
        return f"study {name!r} waits for a coordinator and there is none; `hpo serve` starts one, `hpo resume {name}` runs it here"
    if study.state is StudyState.QUEUED:
        return f"nobody runs study {name!r}; `hpo resume {name}` does"
    if study.state not in DRIVEN or driver_of(study, is_alive)[0] is not None:
        return None
    died = f"{study.driver or 'the process'} that ran study {name!r} has died"
    if study.served and storage.coordinators():
        return f"{died}; a coordinator takes it over"
    return f"{died}; `hpo resume {name}` goes on"
