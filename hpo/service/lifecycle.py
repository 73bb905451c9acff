"""The verbs that move a study: pause, stop, cancel, resume, rm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hpo.durations import seconds_of
from hpo.errors import IllegalMove, LeaseLost, SpecError, StudyOwned
from hpo.samplers.points import grid_size
from hpo.service import specfile
from hpo.states import FINAL, StudyState, Wanted, check_move
from hpo.storage.base import Storage
from hpo.storage.base_external import Terms
from hpo.study import MAX_TRIALS, Driver, Study, StudySpec

T = TypeVar("T")

DRIVEN = (StudyState.RUNNING, StudyState.STOPPING)
LOOKS = 4

# Whether a driver lives; None when it is on another host and nobody here can know.
IsAlive = Callable[[Driver], bool | None]

# What a wish makes of a study that nobody drives.
_BECOMES: dict[Wanted, StudyState] = {
    Wanted.PAUSE: StudyState.PAUSED,
    Wanted.STOP: StudyState.COMPLETED,
    Wanted.CANCEL: StudyState.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a verb did: the study afterwards; asked is the living driver that was left word, if any."""

    study: Study
    asked: Driver | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumable:
    """A study that may be driven again, and how: n_trials is its new total, dead its late driver.

    spec: the study file, its `trials` as they were: rounds of a sampler hang on them, whatever came later
    """

    study: Study
    spec: StudySpec
    n_trials: int
    dead: Driver | None = None


def driver_of(study: Study, is_alive: IsAlive) -> tuple[Driver | None, Driver | None]:
    """The living driver of a study and the dead one; at most one of them is there.

    One on another host counts as living until its lease has run out.
    """
    if study.driver is None or study.state not in DRIVEN:
        return None, None
    alive = is_alive(study.driver)
    if alive is None:
        alive = (study.lease_left_s or 0.0) > 0.0
    return (study.driver, None) if alive else (None, study.driver)


def settled(act: Callable[[], T]) -> T:
    """What an act gives that looks at a study and then does something; where a driver came or went in between, it
    looks again. An act that must fail does so each time."""
    for _ in range(LOOKS - 1):
        with contextlib.suppress(StudyOwned, LeaseLost, IllegalMove):
            return act()
    return act()


def wish(storage: Storage, name: str, wanted: Wanted, *, me: Driver, is_alive: IsAlive) -> Changed:
    """Pause, stop or cancel a study: by its driver if that lives, else here and now.

    Asking for what is so already changes nothing. Raises StudyNotFound, IllegalMove.
    """
    return settled(lambda: _wish(storage, name, wanted, me, is_alive))


def _wish(storage: Storage, name: str, wanted: Wanted, me: Driver, is_alive: IsAlive) -> Changed:
    study = storage.get_study(name)
    target = _BECOMES[wanted]
    if study.state is target or (wanted is Wanted.STOP and study.state is StudyState.STOPPING):
        return Changed(study=study)
    _check_wish(study, wanted, target)
    if study.external:
        return Changed(study=_wish_outside(storage, study, wanted))
    living, dead = driver_of(study, is_alive)
    if living is not None:
        study = storage.want(name, wanted)
        if study.wanted is not wanted:
            raise StudyOwned(f"study {name!r} has just been left {study.state} by {living}")
        return Changed(study=study, asked=living)
    if study.state in DRIVEN:
        claim = storage.claim_study(name, me, dead=dead)
        return Changed(study=storage.release(claim, target, reason=wanted.value))
    return Changed(study=storage.move_study(name, target, reason=wanted.value))


def _wish_outside(storage: Storage, study: Study, wanted: Wanted) -> Study:
    """Pause, stop or cancel a study whose trials are trained elsewhere: what runs is in nobody's hands here, so
    stopping waits for it, and pausing lets it be told."""
    if wanted is Wanted.STOP:
        return storage.wind_up(study.name, Terms(), reason=wanted.value)
    return storage.move_study(study.name, _BECOMES[wanted], reason=wanted.value)


def _check_wish(study: Study, wanted: Wanted, target: StudyState) -> None:
    """Raises IllegalMove, in the words of the verb, unless a study can still be paused, stopped or cancelled."""
    if study.state in (StudyState.COMPLETED, StudyState.FAILED):
        raise IllegalMove(f"study {study.name!r} is {study.state}; there is nothing left to {wanted}")
    if wanted is Wanted.PAUSE:
        _check_goes_on(study)
    elif wanted is Wanted.STOP:
        _check_not_cancelled(study)
    if study.state is StudyState.QUEUED and wanted is Wanted.STOP:
        raise IllegalMove(f"study {study.name!r} has not begun; `hpo cancel {study.name}` ends it for good")
    check_move(study.name, study.state, target)


def _check_goes_on(study: Study) -> None:
    """Raises IllegalMove when a study is ending, or its driver has been left word that it is to."""
    _check_not_cancelled(study)
    if study.state is StudyState.STOPPING or study.wanted is Wanted.STOP:
        raise IllegalMove(
            f"study {study.name!r} is stopping: its running trials finish; `hpo cancel {study.name}` kills them"
        )


def _check_not_cancelled(study: Study) -> None:
    """Raises IllegalMove when somebody wants a study CANCELLED: that is for good."""
    if study.wanted is Wanted.CANCEL:
        raise IllegalMove(
            f"study {study.name!r} is being cancelled for good; `hpo fork {study.name}` makes a new one of it"
        )


def resumable(storage: Storage, name: str, *, trials: int | None, is_alive: IsAlive) -> Resumable:
    """Look whether a study may be resumed, and change nothing.

    trials: its new total. Raises StudyNotFound; StudyOwned with the living driver's name; IllegalMove
    for a CANCELLED study, or a COMPLETED one that has no trials left.
    """
    study = storage.get_study(name)
    living, dead = driver_of(study, is_alive)
    if living is not None:
        raise StudyOwned(f"{living} is running study {name!r}; `hpo watch {name}` follows it")
    if study.state not in DRIVEN and study.state is not StudyState.QUEUED:
        check_move(name, study.state, StudyState.QUEUED)
    spec = specfile.from_json(study.spec)
    _check_time_left(study, spec)
    n_trials = study.n_trials if trials is None else check_total(storage, study, spec, trials)
    if study.state is StudyState.COMPLETED and study.n_finished >= n_trials:
        raise IllegalMove(
            f"study {name!r} is COMPLETED with all of its {n_trials} trials; "
            f"`hpo resume {name} --trials N` raises the total"
        )
    return Resumable(study=study, spec=spec, n_trials=n_trials, dead=dead)


def _check_time_left(study: Study, spec: StudySpec) -> None:
    """Raises IllegalMove for an ended study that could train nothing more in its limits.wall_time."""
    limit = spec.limits.wall_time
    if study.state in FINAL and limit is not None and study.seconds >= seconds_of(limit):
        raise IllegalMove(
            f"study {study.name!r} has used up its limits.wall_time of {limit}; start a new one from its study file"
        )


def check_total(storage: Storage, study: Study, spec: StudySpec, trials: int) -> int:
    """The new total of trials, where it may be that. Raises SpecError, IllegalMove when it would fall or a grid is full."""
    if trials > MAX_TRIALS:
        raise SpecError(f"must be <= {MAX_TRIALS:,}, got {trials}", field="trials")
    if trials < study.n_trials:
        raise IllegalMove(
            f"the total of trials only goes up: study {study.name!r} has {study.n_trials}", field="trials"
        )
    if spec.sampler.name == "grid":
        size = grid_size(spec.parameters)
        # As many trials may have been enqueued beside the points of the grid.
        if trials > size and trials > size + _n_enqueued(storage, study.name):
            raise IllegalMove(
                f"the grid of study {study.name!r} has {size} points and no more", field="trials"
            )
    return trials


def _n_enqueued(storage: Storage, name: str) -> int:
    """How many of a study's trials are no proposals of its sampler, those that still wait included."""
    return storage.origins(name).n_enqueued + len(storage.queue(name))


def go_on(storage: Storage, study: Study) -> Study:
    """Have the living driver of a server's study go on with it: a pause that it was left word of is taken back.

    Raises IllegalMove when the study is to end; StudyOwned when it has been left meanwhile.
    """
    name = study.name
    if study.wanted is Wanted.PAUSE:
        study = storage.want(name, Wanted.NOTHING, instead_of=Wanted.PAUSE)
    _check_goes_on(study)
    if study.state not in (StudyState.RUNNING, StudyState.QUEUED):
        raise StudyOwned(f"study {name!r} has just been left {study.state}")
    return study


def reopen(storage: Storage, found: Resumable, *, served: bool | None = None) -> Study:
    """Bring a resumable study to where a driver may claim it. Raises StudyNotFound, IllegalMove.

    served: whether a server's coordinator is to, from now on; None: as it was
    """
    study = found.study
    if found.n_trials > study.n_trials:
        study = storage.set_trials(study.name, found.n_trials)
    if study.state in (StudyState.PAUSED, *FINAL):
        study = storage.move_study(study.name, StudyState.QUEUED, served=served)
    return study


def hand_over(storage: Storage, found: Resumable, *, me: Driver) -> Study:
    """Have a server's coordinator go on with a resumable study. Raises StudyNotFound, IllegalMove, StudyOwned."""
    name, study = found.study.name, reopen(storage, found, served=True)
    if study.external or study.served:  # nobody's, or a coordinator's, which takes over by itself
        return storage.want(name, Wanted.NOTHING, instead_of=Wanted.PAUSE)
    if study.state in DRIVEN:
        storage.release(storage.claim_study(name, me, dead=found.dead), StudyState.PAUSED)
    elif study.state is StudyState.QUEUED:
        storage.move_study(name, StudyState.PAUSED)
    return storage.move_study(name, StudyState.QUEUED, served=True)


def remove(storage: Storage, name: str, *, me: Driver, is_alive: IsAlive) -> None:
    """Remove a study with its trials. Raises StudyNotFound; StudyOwned while somebody drives it."""
    study = storage.get_study(name)
    living, dead = driver_of(study, is_alive)
    if living is not None:
        raise StudyOwned(f"{living} is running study {name!r}; `hpo cancel {name}` first")
    if study.external and study.state in DRIVEN:
        raise StudyOwned(f"trials of study {name!r} are being trained; `hpo cancel {name}` first")
    if dead is not None:
        storage.release(storage.claim_study(name, me, dead=dead), StudyState.CANCELLED)
    storage.delete_study(name)
