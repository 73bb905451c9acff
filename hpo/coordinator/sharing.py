"""One pool for many studies: a thread owns it, and each study has a share, itself a WorkerPool.

A share takes more tasks than there are free slots: they wait here for their turn, so that slots that become free
have their next cohorts at once, and a study that is slow, or waits for its database, never keeps one idle.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from hpo.cohort import CohortTask, EpochResult, LastReport, Report, ScoreDone, Task
from hpo.coordinator.capacity import steps_per_epoch
from hpo.coordinator.fairness import Entitled, Lags, SlotsOf, Standing, choose, entitlements
from hpo.coordinator.share import Share
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.workers.base import Slot, WorkerPool

log = logging.getLogger(__name__)
T = TypeVar("T")

POLL_S = 0.02  # a word to a worker waits so long at most
IDLE_S = 0.2
LOOK_S = 0.1  # slots are looked at so often, few of them also when a task has begun or ended
FEW_SLOTS = 64


@dataclass(slots=True)
class _Task:
    """A task that is with the pool, under an id of the pool's. own: as its study knows it"""

    share: Share
    own: Task
    since: float
    data: str | None = None
    lanes: int = 0
    steps_per_epoch: int = 0  # of one trial, all its lanes
    model_steps: int = 0


class SharedPool:
    """Owns a pool until it is closed, and shares its slots out; see fairness.py.

    slots_of: the slots of an owner that count while others wait
    """

    def __init__(
        self,
        pool: WorkerPool,
        *,
        slots_of: SlotsOf = lambda owner: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._slots_of, self._clock = pool, slots_of, clock
        self.lock = threading.RLock()  # of all that the shares see too
        self._wake = threading.Condition(self.lock)
        self.broken: PoolError | None = None
        self.slots: Sequence[Slot] = ()  # as they last were, tasks by the pool's ids
        self._idle: Sequence[Slot] = ()  # the same, as if none had a task; made when it is asked for
        self._places: dict[int, int] = {}  # of tasks among the slots
        self._slots_at = -math.inf
        self.tasks: dict[int, _Task] = {}
        self._shares: dict[int, Share] = {}
        self._ending: dict[int, Share] = {}  # closed, but something of them trains still
        self._orders: deque[tuple[Callable[[], Any], Future[Any] | None]] = deque()
        self._ids, self._keys = count(1), count(1)
        self._data: dict[str, set[int]] = {}  # key -> shares that need it
        self._rows: dict[str, int] = {}  # to train on, of the data of a key
        self._lags, self._looked = Lags(), clock()
        self._entitled = Entitled(owners={}, studies={})
        self._due: Mapping[int, float] = {}  # slots of each share, if all of them wanted more
        self._closing = False
        self._thread = threading.Thread(target=self._own, name="pool", daemon=True)

    def start(self) -> None:
        """Start the pool, in the thread that owns it. Raises PoolError."""
        started: Future[None] = Future()
        self._orders.append((self._begin, started))
        self._thread.start()
        started.result()

    def close(self) -> None:
        """End all workers; once more does nothing."""
        with self.lock:
            self._closing = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def share(self, name: str, *, owner: str | None = None, weight: float = 1.0) -> Share:
        """A new share; whoever has it closes it."""
        with self.lock:
            share = Share(self, next(self._keys), name, owner=owner, weight=weight)
            self._shares[share.key] = share
            self._let_pass()
        return share

    def doing(self) -> list[dict[str, Any]]:
        """What each slot does, in JSON types: device, memory, study, lanes, speed."""
        with self.lock:
            now = self._clock()
            return [_slot_record(slot, self.tasks.get(slot.task or 0), now) for slot in self.slots]

    # What shares ask for; called with the lock

    def slots_for(self, share: Share) -> list[Slot]:
        """All slots; task: what those do that train for a share, by its own ids, None on the others."""
        if not self._idle:
            self._idle = [slot if slot.task is None else replace(slot, task=None) for slot in self.slots]
        slots = list(self._idle)
        # A task that has begun since slots were looked at is on one of those without a task.
        others = (place for place, slot in enumerate(self.slots) if slot.task not in self.tasks)
        for id_, own in share.training.items():
            place = self._places[id_] if id_ in self._places else next(others, None)
            if place is not None:
                slots[place] = replace(slots[place], task=own)
        return slots

    def fair(self, share: Share) -> int:
        """How many slots a study should plan for: its part if all wanted more, or those that it has."""
        if len(self._shares) == 1:
            return len(self.slots)
        return max(1, math.ceil(self._due.get(share.key, 1.0)), len(share.training))

    def n_free(self) -> int:
        """Slots for which there is no task, not even one that waits."""
        waiting = sum(len(share.waiting) for share in self._shares.values())
        return len(self.slots) - len(self.tasks) - waiting

    def depth(self, share: Share) -> int:
        """How many tasks of a share may wait: as many as slots may become free for it at once."""
        if len(self._shares) == 1:
            return 1
        return max(1, math.ceil(self._entitled.studies.get(share.key, 1.0)))

    def wake(self) -> None:
        """There is something to do for the owner of the pool."""
        self._wake.notify_all()

    def order(self, what: Callable[[], object], done: Future[Any] | None = None) -> None:
        """Have the owner of the pool do something soon; done: told what comes of it."""
        self._orders.append((what, done))
        self.wake()

    def call(self, what: Callable[[], T]) -> T:
        """Have the owner do something, and wait, without the lock. Raises what it raises, and PoolError."""
        done: Future[T] = Future()
        with self.lock:
            if self.broken is not None or self._closing:
                raise self.broken or PoolError("the pool has been closed")
            self.order(what, done)
        return done.result()

    def leave(self, share: Share) -> None:
        """A share is closed: what waits is forgotten, what trains is cancelled, data only it needed are dropped."""
        with self.lock:
            if self._shares.pop(share.key, None) is not None and share.training:
                self._ending[share.key] = share
            share.waiting.clear()
            self.order(lambda: self._end(share))

    # In the thread that owns the pool

    def put_data(self, share: Share, key: str, data: TrainingData) -> None:
        """Keys name contents: data that two studies share are kept once."""
        if key not in self._data:
            self._pool.put_data(key, data)
        self._data.setdefault(key, set()).add(share.key)
        self._rows[key] = len(data.folds[0][0].y)

    def drop_data(self, share: Share, key: str) -> None:
        """A study needs data no more; they go when no other does."""
        self._data.get(key, set()).discard(share.key)
        self._drop_unused()

    def tell(self, share: Share, own: int, what: Callable[[int], None]) -> None:
        """Tell the pool something about a task of a share, by the pool's id; nothing when it has ended."""
        for id_ in [id_ for id_, its in share.training.items() if its == own]:
            what(id_)

    def keep(self, id_: int, mask: Sequence[bool]) -> None:
        """Pass a mask on."""
        self._pool.keep(id_, mask)

    def cancel(self, id_: int) -> None:
        """Pass a cancellation on."""
        self._pool.cancel(id_)

    def pids(self) -> list[int]:
        """The processes of the pool, where it knows them."""
        return list(getattr(self._pool, "pids", list)())

    def _end(self, share: Share) -> None:
        for id_ in list(share.training):
            self._pool.cancel(id_)
        for needed in self._data.values():
            needed.discard(share.key)
        self._drop_unused()

    def _drop_unused(self) -> None:
        if all(self._data.values()):
            return
        in_use = {task.data for task in self.tasks.values()}
        for key in [key for key, needed in self._data.items() if not needed and key not in in_use]:
            self._pool.drop_data(key)
            del self._data[key], self._rows[key]

    def _begin(self) -> None:
        self._pool.start()
        self._look_at_slots(changed=True)

    def _look_at_slots(self, *, changed: bool) -> None:
        """Note how the slots are, though not all the time: thousands of them take milliseconds.

        changed: whether one was given a task or has ended one since the last call
        """
        age = self._clock() - self._slots_at
        if age < LOOK_S and not (changed and len(self.slots) <= FEW_SLOTS):
            return
        slots = self._pool.slots()
        with self.lock:
            self.slots, self._idle, self._slots_at = slots, (), self._clock()
            self._places = {slot.task: place for place, slot in enumerate(slots) if slot.task is not None}

    def _own(self) -> None:
        try:
            self._obey()
            while not self._closing and self.broken is None:
                self._turn()
        except PoolError as error:
            self._break(error)
        except Exception as error:  # the studies must hear of it, whatever it is
            log.exception("the owner of the pool failed")
            self._break(PoolError(f"the owner of the pool failed: {type(error).__name__}: {error}"))
        finally:
            self._break(PoolError("the pool has been closed"))
            self._pool.close()

    def _break(self, error: PoolError) -> None:
        """Tell everybody who waits that there is no pool any more."""
        with self.lock:
            self.broken = self.broken or error
            for _, done in self._orders:
                if done is not None:
                    done.set_exception(self.broken)
            self._orders.clear()
            for share in self._shares.values():
                share.heard.notify_all()

    def _turn(self) -> None:
        self._obey()
        self._fill()
        with self.lock:
            if not self.tasks and not self._orders and not self._closing:
                self._wake.wait(IDLE_S)
        self._take(self._pool.poll(POLL_S if self.tasks else 0.0))

    def _obey(self) -> None:
        while True:
            with self.lock:
                if not self._orders:
                    return
                what, done = self._orders.popleft()
            if done is None:
                what()
            else:
                _carry_out(what, done)

    def _fill(self) -> None:
        """Give free slots to whoever is entitled to them."""
        room, changed = self._pool.room(), False
        with self.lock:
            self._let_pass()
        while room:
            with self.lock:
                key = choose(*self._standings(), self._lags)
                if key is None:
                    break
                share = self._shares[key]
                own = share.waiting.popleft()
                mask = share.masks.pop(own.id, None)
                id_ = next(self._ids)
                self.tasks[id_] = self._begun(share, own)
                share.training[id_] = own.id
            self._pool.submit(replace(own, id=id_))
            if mask is not None:
                self._pool.keep(id_, mask)
            room, changed = room - 1, True
        self._look_at_slots(changed=changed)

    def _let_pass(self) -> None:
        """Count the time since the last call to those who hold slots now; call it before that changes."""
        now = self._clock()
        passed, self._looked = now - self._looked, now
        standings, self._entitled = self._standings()
        self._lags.accrue(standings, self._entitled, passed)
        hungry = [replace(standing, hungry=True) for standing in standings]
        self._due = entitlements(hungry, len(self.slots), self._slots_of).studies

    def _begun(self, share: Share, own: Task) -> _Task:
        now = self._clock()
        if not isinstance(own, CohortTask):
            return _Task(share, own, now)
        lanes, rows = len(own.lanes), self._rows.get(own.data, 0)
        steps = lanes // len(own.numbers) * steps_per_epoch(rows, own.shared.batch_size)
        return _Task(share, own, now, own.data, lanes, steps)

    def _standings(self) -> tuple[list[Standing], Entitled]:
        """The shares as they stand, also those that are closed but have something training still."""
        standings = [
            Standing(
                key=key,
                owner=share.owner,
                weight=share.weight,
                held=len(share.training),
                hungry=bool(share.waiting),
            )
            for key, share in (self._ending | self._shares).items()
        ]
        return standings, entitlements(standings, len(self.slots), self._slots_of)

    def _take(self, reports: Sequence[Report]) -> None:
        """Hand each report to the share whose task it is about, under the id that this gave."""
        ended = False
        with self.lock:
            if any(isinstance(report, LastReport) for report in reports):
                self._let_pass()
            for report in reports:
                id_ = report.id if isinstance(report, ScoreDone) else report.cohort
                task = self.tasks.get(id_)
                if task is None:
                    continue  # a late word about a task that has had its last
                if isinstance(report, EpochResult):
                    task.model_steps += len(report.numbers) * task.steps_per_epoch
                elif isinstance(report, LastReport):
                    self._end_task(id_)
                    ended = True
                task.share.hear(_as_own(report, task.own.id))
        self._look_at_slots(changed=ended)
        if ended:
            self._drop_unused()

    def _end_task(self, id_: int) -> None:
        share = self.tasks.pop(id_).share
        del share.training[id_]
        if not share.training:
            self._ending.pop(share.key, None)


def _as_own(report: Report, id_: int) -> Report:
    """The report with the id by which a study knows its task."""
    if isinstance(report, ScoreDone):
        return replace(report, id=id_)
    return replace(report, cohort=id_)


def _slot_record(slot: Slot, task: _Task | None, now: float) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": slot.id,
        "node": slot.node or None,
        "device": slot.device,
        "kind": slot.kind,
        "memory_bytes": slot.memory_bytes,
        "ready": slot.ready,
        "seen_s": round(slot.seen_s, 1),
    }
    if task is None:
        return record | {"study": None, "lanes": 0, "model_steps_per_s": 0.0}
    rate = task.model_steps / (now - task.since) if now > task.since else 0.0
    return record | {"study": task.share.name, "lanes": task.lanes, "model_steps_per_s": rate}


def _carry_out(what: Callable[[], T], done: Future[T]) -> None:
    """Leave what comes of it, an error included, where somebody waits for it."""
    try:
        done.set_result(what())
    except Exception as error:  # noqa: BLE001 - it is raised again where somebody waits
        done.set_exception(error)
