"""What happens to a study of the local database: the events that a server would send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from hpo.progress import Event
from hpo.service import events
from hpo.service.events import Look, Place
from hpo.storage.base import Storage

TICK_S = 0.5


def follow(
    storage: Storage, name: str, *, after: str | None = None, wait: Callable[[float], object] = time.sleep
) -> Iterator[Event]:
    """The events of a study behind that of an id (`now`: from now on) until it is final.

    Raises StudyNotFound, also once it is removed, and BadRequest for what is no id.
    """
    last = None if after == events.NOW else after
    begin = events.start(storage, name, last=last, after=after if after == events.NOW else None)
    if begin.over:
        return
    seen: Look | None = None
    place = 0
    while True:
        now = events.look(storage, name, seen)
        if seen is None:
            place = _first_place(begin.after, now.place)
        if not now.final and (seen is None or now.life != seen.life):
            yield Event(id="", kind="study", data=now.study)
        for found in _trials(storage, name, place, now.place):
            place = int(found.id)
            yield found
        if seen is None or now.advance != seen.advance:
            yield Event(id=str(place), kind="progress", data=now.progress)
        if now.final and now.whole:
            yield Event(id=str(Place(n=place, ended=True)), kind="study", data=now.study)
            return
        seen = now
        wait(TICK_S)


def _first_place(after: Place | None, done: int) -> int:
    """Behind which finished trial to begin; an id beyond the end was given by another study of that name."""
    if after is None:
        return done
    return after.n if after.n <= done else 0


def _trials(storage: Storage, name: str, place: int, until: int) -> Iterator[Event]:
    """The trials that finished between two places, a page in each event."""
    while place < until:
        page = [trial for trial in events.read(storage, name, place) if (trial.place or 0) <= until]
        if not page:
            return
        place = page[-1].place or until
        yield Event(id=str(place), kind="trial", data={"items": events.trials_record(page)})
