"""Followers of studies: one look at the database for all who follow a study, and no thread for those who wait."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from hpo.api import event_stream
from hpo.api.event_stream import event, event_of
from hpo.errors import StorageUnavailable, StudyNotFound
from hpo.service import events
from hpo.service.events import Look, Place
from hpo.storage.base import Storage

log = logging.getLogger(__name__)

TICK_S = 0.5  # at most two updates a second
AWAY_S = 2.0  # between looks while the database is away
HEARTBEAT_S = 15.0
CHECK_S = 2.0  # how often it is asked whether a follower may still follow
KEPT = 2000  # trials kept for those who are nearly up to date; others read for themselves

Item = tuple[int, bytes]  # a trial: its place, and what is sent of it
StillAllowed = Callable[[], Awaitable[bool]]


def _look(storage: Storage, name: str, before: Look | None) -> tuple[Look, list[Item]]:
    """What is new; its trials are written once, whoever follows."""
    found = events.look(storage, name, before)
    return found, _items(events.trials_record(found.trials))


def _read(storage: Storage, name: str, place: int) -> list[Item]:
    return _items(events.trials_record(events.read(storage, name, place)))


def _items(records: list[dict[str, object]]) -> list[Item]:
    return [(int(str(record["place"])), to_json(record, inf_nan_mode="null")) for record in records]


class Channel:
    """A study that is followed, as the last look found it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_followers = 0
        self.now: Look | None = None  # nobody has looked yet
        self.over = False  # the study is gone, or the server stops
        self.task: asyncio.Task[None] | None = None
        self._recent: deque[Item] = deque(maxlen=KEPT)
        self._changed = asyncio.Event()

    def show(self, found: Look, items: list[Item]) -> None:
        """What a look has found, for all who wait."""
        before = self.now
        if before is not None and found.id != before.id:  # another study of the same name
            self.end()
            return
        self._recent.extend(items)
        self.now = found
        if before is None or items or found.life != before.life or found.advance != before.advance:
            self._wake()

    def end(self) -> None:
        """There will be no more."""
        self.over = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    async def change(self, timeout_s: float) -> None:
        """Wait for a change, not longer than that."""
        changed = self._changed
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            return

    def after(self, place: int) -> list[Item]:
        """The recent trials behind a place, an event's worth; none when they do not reach back so far."""
        first = place + 1 - self._recent[0][0] if self._recent else -1
        if first < 0:
            return []
        return [self._recent[i] for i in range(first, min(len(self._recent), first + events.PAGE))]


class Follower:
    """What one follower has been sent. after: where it was; None: what has finished up to now is left out."""

    def __init__(self, storage: Storage, channel: Channel, after: Place | None) -> None:
        self._storage, self._channel, self._after = storage, channel, after
        self._place = 0
        self.seen: Look | None = None
        self.done = False

    async def news(self) -> AsyncIterator[bytes]:
        """The events that bring it up to date. Raises StudyNotFound."""
        now, seen = self._channel.now, self.seen
        if now is None:
            return
        if seen is None:
            # An id beyond the end was given by another study of that name.
            self._place = (
                now.place if self._after is None else self._after.n if self._after.n <= now.place else 0
            )
        if not now.final and (seen is None or now.life != seen.life):
            yield event("study", now.study)
        while self._place < now.place:
            items = self._channel.after(self._place)
            items = items or await run_in_threadpool(_read, self._storage, self._channel.name, self._place)
            if not items:
                break
            self._place = items[-1][0]
            data = b'{"items":[%b]}' % b",".join(data for _, data in items)
            yield event_of("trial", data, Place(n=self._place))
        if seen is None or now.advance != seen.advance:
            yield event("progress", now.progress, Place(n=self._place))
        if now.final and now.whole:
            self.done = True
            yield event("study", now.study, Place(n=self._place, ended=True))
        self.seen = now


class Streams:
    """The followers of one process. For one event loop; the database is asked in threads."""

    def __init__(self, storage: Storage, *, tick_s: float = TICK_S, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._storage, self._tick_s, self._heartbeat_s = storage, tick_s, heartbeat_s
        self._channels: dict[str, Channel] = {}
        self._stopped = False

    def __len__(self) -> int:
        """How many studies are followed."""
        return len(self._channels)

    def stop(self) -> None:
        """End all streams, and those that begin from now on."""
        self._stopped = True
        for channel in self._channels.values():
            channel.end()

    async def follow(self, name: str, after: Place | None, allowed: StillAllowed) -> AsyncIterator[bytes]:
        """The events of a study until it is final, gone, or not to be followed any more.

        after: where the follower was; None: what has finished up to now is left out
        """
        channel = self._join(name)
        try:
            yield event_stream.begin()
            async for part in self._parts(channel, Follower(self._storage, channel, after), allowed):
                yield part
        except (StudyNotFound, StorageUnavailable):
            return  # who comes back is told
        finally:
            self._leave(channel)

    def _join(self, name: str) -> Channel:
        channel = self._channels.get(name)
        if channel is None or channel.over:
            channel = self._channels[name] = Channel(name)
            channel.over = self._stopped
            channel.task = asyncio.create_task(self._keep_looking(channel))
        channel.n_followers += 1
        return channel

    def _leave(self, channel: Channel) -> None:
        channel.n_followers -= 1
        if channel.n_followers:
            return
        if channel.task is not None:
            channel.task.cancel()
        if self._channels.get(channel.name) is channel:
            del self._channels[channel.name]

    async def _keep_looking(self, channel: Channel) -> None:
        """Look again and again, for as long as somebody follows."""
        while not channel.over:
            wait_s = self._tick_s
            try:
                found, items = await run_in_threadpool(_look, self._storage, channel.name, channel.now)
                channel.show(found, items)
                wait_s = self._tick_s if found.whole else 0.0
            except StudyNotFound:
                channel.end()
            except StorageUnavailable:
                wait_s = AWAY_S
            except Exception:  # the task's door: nobody waits for it, and followers must not wait for ever
                log.exception("following study %s failed", channel.name)
                channel.end()
            await asyncio.sleep(wait_s)

    async def _parts(
        self, channel: Channel, follower: Follower, allowed: StillAllowed
    ) -> AsyncIterator[bytes]:
        """Events and heartbeats; what has not changed since it was sent is not sent again."""
        now = asyncio.get_running_loop().time
        sent_at = checked_at = now()
        while not channel.over and not follower.done:
            async for part in follower.news():
                sent_at = now()
                yield part
            if channel.now is follower.seen and not follower.done and not channel.over:
                await channel.change(min(CHECK_S, self._heartbeat_s))
            if now() - checked_at >= CHECK_S:
                checked_at = now()
                if not await allowed():
                    return
            if now() - sent_at >= self._heartbeat_s:
                sent_at = now()
                yield event_stream.HEARTBEAT
