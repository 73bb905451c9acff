"""A study that another process runs, seen through the database."""

from __future__ import annotations

from hpo.progress import Progress
from hpo.service.lifecycle import DRIVEN, IsAlive, driver_of
from hpo.states import StudyState
from hpo.storage.base import Storage

# States in which nothing more will happen by itself.
RESTING = frozenset({StudyState.PAUSED, StudyState.COMPLETED, StudyState.CANCELLED, StudyState.FAILED})


def progress(storage: Storage, name: str, *, is_alive: IsAlive) -> Progress:
    """How far a study is. `message` says so when nobody drives one that should be driven.

    Rates are means over the time the study has been RUNNING. Raises StudyNotFound.
    """
    study = storage.get_study(name)
    found = storage.best_trials(name, 1)
    rate = study.n_finished / study.seconds if study.seconds > 0 else 0.0
    left = max(0, study.n_trials - study.n_finished)
    message = None
    if study.external:  # whoever trains comes and goes
        pass
    elif study.state is StudyState.QUEUED:
        message = f"nobody runs study {name!r}; `hpo resume {name}` does"
    elif study.state in DRIVEN and driver_of(study, is_alive)[0] is None:
        message = (
            f"{study.driver or 'the process'} that ran study {name!r} has died; `hpo resume {name}` goes on"
        )
    return Progress(
        study=name,
        state=study.state,
        n_trials=study.n_trials,
        counts=study.counts,
        metric=study.metric,
        best_number=found[0].number if found else None,
        best_value=found[0].first if found else None,
        trials_per_s=rate,
        seconds=study.seconds,
        seconds_left=left / rate if rate > 0 else None,
        message=message,
    )
