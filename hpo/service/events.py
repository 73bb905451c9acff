"""What is new in a study, for those who follow it: trials in the order in which they finished, progress, its life."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.errors import BadRequest
from hpo.service.records import counts_record, plain, study_summary, trial_record
from hpo.states import FINAL
from hpo.storage.base import Storage
from hpo.study import Study
from hpo.trial import Trial

PAGE = 1000  # trials of one event at most
MAX_NEW = 2 * PAGE  # trials that one look reads at most; the next one reads on

NOW = "now"
_ID = re.compile(r"(\d{1,12})(\.end)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a follower is: it has the first n finished trials and, at the end, the word that all is over."""

    n: int
    ended: bool = False

    def __str__(self) -> str:
        return f"{self.n}.end" if self.ended else str(self.n)


def place_of(word: str, field: str) -> Place:
    """What the id of an event says. Raises BadRequest.

    >>> place_of("17", "after"), str(place_of("17.end", "after"))
    (Place(n=17, ended=False), '17.end')
    """
    found = _ID.fullmatch(word.strip())
    if found is None:
        raise BadRequest("must be the id of an event of this study, such as 17", field=field)
    return Place(n=int(found[1]), ended=found[2] is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a follower begins. after: what it has; None: all that has finished up to now does not matter to it

    over: it has everything, and no more will come
    """

    after: Place | None
    over: bool


def start(storage: Storage, name: str, *, last: str | None, after: str | None) -> Start:
    """Where to begin. last: the id of the event a client had last; after: such an id, or `now`, for one that had
    none; without either the first trial. Raises StudyNotFound, BadRequest."""
    place = None
    if last or after != NOW:
        place = place_of(last, "Last-Event-ID") if last else place_of(after or "0", "after")
    study = storage.get_study(name)
    over = place is not None and place.ended and study.state in FINAL and place.n == study.n_finished
    return Start(after=place, over=over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A study at one moment. place: how many of its finished trials were read up to now; trials: those read by
    this look, which end there; whole: that is all of them"""

    id: int
    place: int
    trials: tuple[Trial, ...]
    whole: bool
    final: bool
    study: dict[str, Any]
    progress: dict[str, Any]
    live: Mapping[str, Any]  # what its driver says of its speed

    @property
    def life(self) -> tuple[Any, ...]:
        """What makes a `study` event when it changes; `progress` says the rest."""
        return tuple(
            self.study[name] for name in ("state", "reason", "n_trials", "wanted", "labels", "priority")
        )

    @property
    def advance(self) -> tuple[Any, ...]:
        """What makes a `progress` event when it changes: not a mean that time alone moves."""
        return (*(self.progress[name] for name in ("n_trials", "counts", "best")), self.live)


def look(storage: Storage, name: str, before: Look | None = None) -> Look:
    """The study now, and the trials that finished since a look before. Raises StudyNotFound."""
    study = storage.get_study(name)
    done = study.n_finished
    place = done if before is None else before.place
    trials: list[Trial] = []
    while place < done and len(trials) < MAX_NEW:
        page = read(storage, name, place)
        if not page:
            break
        trials += page
        place = page[-1].place or done
    best = storage.best_trials(name, 1) if before is None or done > before.place else None
    found = before.progress["best"] if best is None and before is not None else _best(best or [])
    return Look(
        id=study.id,
        place=place,
        trials=tuple(trials),
        whole=place >= done,
        final=study.state in FINAL,
        study=_study(study, found),
        progress=_progress(study, found),
        live=study.live,
    )


def read(storage: Storage, name: str, place: int) -> Sequence[Trial]:
    """The trials that finished next, after the one of that place. Raises StudyNotFound."""
    return storage.finished_after(name, place, PAGE)


def _best(found: list[Trial]) -> dict[str, Any] | None:
    if not found:
        return None
    several = {"values": plain(found[0].values)} if found[0].values else {}
    return {"number": found[0].number, "value": plain(found[0].value), **several}


def _study(study: Study, best: dict[str, Any] | None) -> dict[str, Any]:
    return study_summary(study, best=None) | {
        "value": best and best["value"],
        "wanted": study.wanted.value or None,
        "priority": study.priority,
    }


def _progress(study: Study, best: dict[str, Any] | None) -> dict[str, Any]:
    """How far it is, and how fast as its driver says; without one, what its trials took on average."""
    mean = study.n_finished / study.seconds if study.seconds > 0 else 0.0
    left = max(0, study.n_trials - study.n_finished)
    over = study.state in FINAL
    return {
        "n_trials": study.n_trials,
        "counts": counts_record(study),
        "best": best,
        "trials_per_s": plain(study.live.get("trials_per_s", mean)),
        "model_steps_per_s": plain(study.live.get("model_steps_per_s")),
        "seconds_left": plain(study.live.get("seconds_left", left / mean if mean > 0 and not over else None)),
        "n_slots": plain(study.live.get("n_slots")),
        "n_busy": plain(study.live.get("n_busy")),
    }


def trials_record(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Trials as an event carries them: as `hpo trials -f json` shows them, each with its place."""
    return [trial_record(trial) | {"place": trial.place} for trial in trials]
