"""Trials that a user asks for: settings of their own, and failed trials once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpo.errors import IllegalMove
from hpo.service import specfile
from hpo.service.lifecycle import IsAlive, driver_of, settled
from hpo.service.repeating import RETRIED
from hpo.service.results import pages
from hpo.service.settings_given import Setting, setting_of
from hpo.states import TrialState
from hpo.storage.base import Storage, TrialQuery
from hpo.study import Driver, Study
from hpo.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """What was enqueued: the study afterwards, its settings, the failed trials they are of, who will train them."""

    study: Study
    settings: tuple[Setting, ...]
    retry_of: tuple[int, ...] = ()
    driver: Driver | None = None


def record_of(done: Enqueued) -> dict[str, Any]:
    """What was enqueued as `hpo enqueue -f json` prints it."""
    return {
        "study": done.study.name,
        "state": done.study.state.value,
        "n_trials": done.study.n_trials,
        "enqueued": [dict(setting) for setting in done.settings],
        "retry_of": list(done.retry_of),
    }


def enqueue(
    storage: Storage,
    name: str,
    settings: Sequence[Setting],
    *,
    is_alive: IsAlive,
    served: bool | None = None,
) -> Enqueued:
    """Put settings before what the sampler proposes next; the study's total grows by as many.

    served: whether a server's coordinator is to go on with it, where nobody drives it; None: as it was
    Raises StudyNotFound, SpecError, UnknownName, IllegalMove when the study is CANCELLED or stopping.
    """
    space = specfile.parameters_of(storage.get_study(name).spec)
    several = len(settings) > 1
    checked = tuple(
        setting_of(space, setting, place=f"settings[{place}]." if several else "")
        for place, setting in enumerate(settings)
    )
    study = storage.enqueue(name, [(setting, None) for setting in checked], served=served)
    return Enqueued(study=study, settings=checked, driver=driver_of(study, is_alive)[0])


def retry(
    storage: Storage,
    name: str,
    numbers: Sequence[int] = (),
    *,
    is_alive: IsAlive,
    served: bool | None = None,
) -> Enqueued:
    """Train failed trials once more, under new numbers: those given, or all that were not retried yet.

    served: as for `enqueue`. Only trials that ended by error, lost or out_of_memory are. Raises StudyNotFound, TrialNotFound,
    IllegalMove.
    """
    # Where somebody else retries one of them at this moment, the storage refuses, and what is left is looked at again.
    return settled(lambda: _retry(storage, name, numbers, is_alive, served))


def _retry(
    storage: Storage, name: str, numbers: Sequence[int], is_alive: IsAlive, served: bool | None
) -> Enqueued:
    study = storage.get_study(name)
    again = _again(storage, name)
    if numbers:
        failed = [storage.get_trial(name, number) for number in dict.fromkeys(numbers)]
        for trial in failed:
            _check_retry(study, trial, again)
    else:
        failed = [trial for trial in _failed(storage, name) if trial.number not in again]
    if failed:
        study = storage.enqueue(name, [(trial.params, trial.number) for trial in failed], served=served)
    return Enqueued(
        study=study,
        settings=tuple(trial.params for trial in failed),
        retry_of=tuple(trial.number for trial in failed),
        driver=driver_of(study, is_alive)[0],
    )


def _failed(storage: Storage, name: str) -> list[Trial]:
    """The trials that may be retried; each once, though others may fail while pages are read."""
    failed = pages(storage, name, TrialQuery(states=(TrialState.FAIL,), unread=("facts", "lineage")))
    return list({trial.number: trial for trial in failed if trial.reason in RETRIED}.values())


def _again(storage: Storage, name: str) -> dict[int, int | None]:
    """Trials that were retried already -> their new number, None while it waits."""
    waiting = {entry.retry_of: None for entry in storage.queue(name) if entry.retry_of is not None}
    return waiting | dict(storage.origins(name).retries)


def _check_retry(study: Study, trial: Trial, again: dict[int, int | None]) -> None:
    """Raises IllegalMove unless a trial failed by no fault of its settings and was not retried yet."""
    ended = f"trial {trial.number} of study {study.name!r} is {trial.state}" + (
        f" ({trial.reason})" if trial.reason else ""
    )
    if trial.state is not TrialState.FAIL or trial.reason not in RETRIED:
        raise IllegalMove(
            f"{ended}; only trials that failed by {', '.join(RETRIED)} are retried, `hpo enqueue` takes any setting"
        )
    if trial.number in again:
        number = again[trial.number]
        raise IllegalMove(
            f"{ended} and waits to be trained again"
            if number is None
            else f"{ended}; trial {number} is its retry"
        )
