"""What every pool does alike: give tasks to workers that are ready, take reports, replace workers that die."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hpo.cohort import CohortFailed, CohortTask, EpochResult, LastReport, Report, Task
from hpo.errors import PoolError
from hpo.states import Reason
from hpo.workers.base import Slot
from hpo.workers.messages import BEAT_S, Beat, Cancel, FromWorker, Hello, Keep, Order, ToWorker, Unfit
from hpo.workers.pace import Pace, Run
from hpo.workers.places import Place

log = logging.getLogger(__name__)

MAX_STILLBORN = 5  # workers in a row that die before they are ready
LONGEST_REST_S = 600.0  # of a place whose workers do so, or are slow, while others do well
SLOW_REST_S = 30.0
COMPARE_S = 2.0  # between looks for workers that are slow
# A worker with a task beats every BEAT_S, also in the longest epoch, for torch lets other threads run. Only
# its start, which loads large libraries, perhaps from a slow disk, may hold the beat back, and in a cluster the data
# of a task, which come to a machine before the task does.
SILENCE_S = 30.0
SILENCE_AT_START_S = 300.0
CANCEL_GRACE_S = 4.0  # a cohort looks for word between epochs; a worker whose epoch is longer is killed


class WorkerProcess(Protocol):
    """A process that works for a pool, wherever it is."""

    def send(self, message: ToWorker) -> None:
        """Say something; a process that has died does not hear it, and `receive` will tell."""

    def receive(self) -> list[FromWorker] | None:
        """Everything it has said by now, without waiting; None once it has died and all was heard."""

    def kill(self) -> None:
        """End it at once; `receive` will tell."""

    def obituary(self) -> str:
        """Who it was and how it ended: the beginning of a sentence."""

    def last_words(self) -> str:
        """The end of what it wrote to its log, in one line."""


P = TypeVar("P", bound=WorkerProcess)


@dataclass(slots=True, kw_only=True)
class Worker(Generic[P]):
    """One slot and the process that fills it. number: of the slot, for good"""

    number: int
    place: Place
    process: P
    memory_bytes: int
    kind: str = "cpu"
    pid: int | None = None  # known when it is ready
    task: Task | None = None
    run: Run | None = None  # of a task whose epochs nobody has to judge first
    heard: bool = False  # since it was given its task
    unheeded_s: float | None = None  # since its cohort was cancelled, if it was, as far as the pool listened
    silent_s: float = 0.0  # since it was last heard or got its task, as far as the pool listened
    given_up: str = ""  # why its pool has killed it, if not for a cancellation
    slow: bool = False  # that is why
    unfit: str = ""  # why it cannot work
    hired_at: float = field(default_factory=time.monotonic)

    @property
    def attempt(self) -> int:
        """Of its task; 0 for a ScoreTask."""
        return _attempt_of(self.task)

    @property
    def deaf(self) -> bool:
        """Whether it has not heeded a cancellation in time."""
        return self.unheeded_s is not None and self.unheeded_s > CANCEL_GRACE_S

    def free(self) -> None:
        """It has nothing to do."""
        self.task = self.run = self.unheeded_s = None


class Crew(Generic[P]):
    """The workers of a pool, and the tasks that wait in line until one of them is ready and free.

    hire: starts the process of a place; may raise PoolError
    """

    def __init__(self, name: str, hire: Callable[[Place], P]) -> None:
        self._name, self._hire = name, hire
        self._wanted: dict[Place, None] = {}
        self._stillborn: Counter[Place] = Counter()  # in a row
        self._slow: Counter[Place] = Counter()
        self._resting: dict[Place, float] = {}  # until when, by time.monotonic()
        self._slowest_start_s: float | None = None
        self._listened_at = self._compared_at = time.monotonic()
        self._pace = Pace()
        self._line: deque[Order] = deque()
        self._masks: dict[int, tuple[bool, ...]] = {}  # for cohorts in line
        self._unheard: list[Report] = []  # that no worker makes
        self.workers: list[Worker[P]] = []

    # Places

    def places(self) -> list[Place]:
        """Where workers are, or will be after a rest."""
        return [*(worker.place for worker in self.workers), *self._resting]

    def fill(self, places: Iterable[Place]) -> None:
        """Have a worker in each of these places and nowhere else; what others do is lost. May raise PoolError."""
        wanted = dict.fromkeys(places)
        self._wanted = wanted
        self._resting = {place: until for place, until in self._resting.items() if place in wanted}
        for worker in self.workers:
            if worker.place not in wanted and not worker.given_up:
                worker.given_up = f"{_who(worker)} was on {worker.place.host}, which has left the cluster"
                worker.process.kill()
        for place in wanted.keys() - set(self.places()):
            self._resting[place] = 0.0
        self._end_rests()

    def _end_rests(self) -> None:
        """Start workers where the time has come, in order of place."""
        now = time.monotonic()
        for place in sorted((p for p, until in self._resting.items() if until <= now), key=_order):
            del self._resting[place]
            taken = {worker.number for worker in self.workers}
            number = next(n for n in range(len(taken) + 1) if n not in taken)
            worker = Worker(
                number=number, place=place, process=self._hire(place), memory_bytes=place.memory_bytes
            )
            self.workers.append(worker)
            self.workers.sort(key=lambda worker: worker.number)

    def slots(self) -> list[Slot]:
        """The slots as the coordinator sees them."""
        return [
            Slot(
                id=f"{self._name}-{worker.number}",
                device=worker.place.device,
                memory_bytes=worker.memory_bytes,
                task=None if worker.task is None else worker.task.id,
                kind=worker.kind,
                node=worker.place.host,
                ready=worker.pid is not None,
                seen_s=worker.silent_s,
            )
            for worker in self.workers
        ]

    def pids(self) -> list[int]:
        """The processes that are ready, by slot."""
        return [worker.pid for worker in self.workers if worker.pid is not None]

    # Tasks

    def room(self) -> int:
        """For how many slots there is no task, not even one in line."""
        return max(0, sum(worker.task is None for worker in self.workers) - len(self._line))

    def tell_all(self, message: ToWorker) -> None:
        """Say something to every worker that is ready; the others have not heard of anything yet."""
        for worker in self.workers:
            if worker.pid is not None:
                worker.process.send(message)

    def submit(self, order: Order) -> None:
        """Give a task to a worker that is ready, or to the first that will be. Raises PoolError when there is no room."""
        if not self.room():
            raise PoolError("no slot is free; wait for a report first")
        self._line.append(order)
        self._give_out()

    def _give_out(self) -> None:
        """Give the tasks in line to workers that are ready and free."""
        for worker in self.workers if self._line else ():
            if self._line and worker.pid is not None and worker.task is None and not worker.given_up:
                order = self._line.popleft()
                worker.task, worker.silent_s, worker.heard = order.task, 0.0, False
                if isinstance(order.task, CohortTask) and not order.task.judged:
                    worker.run = Run(order.task, len(order.task.numbers))
                worker.process.send(order)
                if (mask := self._masks.pop(order.task.id, None)) is not None:
                    self.keep(order.task.id, mask)

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Pass a keep mask on to the worker that trains the cohort, or will."""
        if any(order.task.id == cohort for order in self._line):
            self._masks[cohort] = tuple(mask)
        for worker in self._working_on(cohort):
            worker.process.send(Keep(cohort=cohort, attempt=worker.attempt, mask=tuple(mask)))

    def cancel(self, cohort: int) -> None:
        """Ask for the end of a cohort; one that no worker has begun is ended here."""
        for order in [order for order in self._line if order.task.id == cohort]:
            self._line.remove(order)
            self._masks.pop(cohort, None)
            self._unheard.append(_failed(order.task, Reason.CANCELLED, "the cohort was cancelled"))
        for worker in self._working_on(cohort):
            if worker.unheeded_s is None:
                worker.unheeded_s = 0.0
                worker.process.send(Cancel(cohort=cohort, attempt=worker.attempt))

    def _working_on(self, cohort: int) -> list[Worker[P]]:
        return [worker for worker in self.workers if worker.task is not None and worker.task.id == cohort]

    # Reports

    def poll(
        self, timeout_s: float, wait: Callable[[Sequence[Worker[P]], float], Sequence[Worker[P]]]
    ) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError.

        wait: gives the workers that have something to say or have died, after at most so many seconds
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._end_rests()
            self._end_deaf_and_frozen()
            self._end_slow()
            reports, self._unheard = self._unheard, []
            left = 0.0 if reports else min(BEAT_S, max(0.0, deadline - time.monotonic()))
            if any(worker.unheeded_s is not None for worker in self.workers):
                left = min(left, CANCEL_GRACE_S / 8)
            heard = wait(self.workers, left)
            self._count_silence(heard)
            try:
                for worker in heard:
                    reports += self._receive(worker)
            except PoolError:
                self._unheard = reports  # for whoever asks once more
                raise
            self._give_out()
            if reports or time.monotonic() >= deadline:
                return reports

    def _end_deaf_and_frozen(self) -> None:
        """Kill workers that no longer hear or speak; they are then found dead."""
        for worker in self.workers:
            wanted = worker.task is not None or bool(self._line)
            if wanted and not worker.given_up and worker.silent_s > self._patience_s(worker):
                worker.given_up = f"{_who(worker)} was silent for {worker.silent_s:.0f} s and was ended"
            if worker.given_up or worker.deaf:
                worker.process.kill()

    def _patience_s(self, worker: Worker[P]) -> float:
        """How long a worker may be silent that is not stopped or stuck in the kernel."""
        if worker.pid is None and self._slowest_start_s is not None and not worker.place.node:
            # The same machine does it as it did before, or takes longer from time to time.
            return max(SILENCE_S, 10 * self._slowest_start_s) * 2.0 ** self._stillborn[worker.place]
        waits = worker.pid is None or (bool(worker.place.node) and not worker.heard)
        return SILENCE_AT_START_S if waits else SILENCE_S

    def _end_slow(self) -> None:
        """Kill workers that are much slower than others at the same: their machine may be ill, and others are there."""
        if time.monotonic() - self._compared_at < COMPARE_S:
            return
        self._compared_at = time.monotonic()
        for worker in self.workers:
            if worker.run is not None and not worker.given_up:
                times = self._pace.times_slower(worker.run, worker.place, worker.kind)
                if times:
                    worker.given_up = (
                        f"{_who(worker)} trained {times:.0f} times slower than others and was ended"
                    )
                    worker.slow = True
                    self._slow[worker.place] += 1

    def _count_silence(self, heard: Sequence[Worker[P]]) -> None:
        """Add the time since the last look, but not that in which this process itself slept or was busy.

        Whoever has no task need not speak; were it dead, that would be heard.
        """
        now = time.monotonic()
        passed, self._listened_at = min(now - self._listened_at, BEAT_S), now
        spoke = {worker.number for worker in heard}
        for worker in self.workers:
            quiet = worker.number not in spoke and (worker.task is not None or worker.pid is None)
            worker.silent_s = worker.silent_s + passed if quiet else 0.0
            if worker.unheeded_s is not None:
                worker.unheeded_s += passed
            if worker.run is not None and worker.heard:
                worker.run.now_s += passed

    def _receive(self, worker: Worker[P]) -> list[Report]:
        messages = worker.process.receive()
        if messages is None:
            return self._bury(worker)
        worker.heard = worker.heard or bool(messages)
        self._note_pace(worker, [message for message in messages if isinstance(message, EpochResult)])
        return [report for message in messages if (report := self._take(worker, message)) is not None]

    def _note_pace(self, worker: Worker[P], epochs: Sequence[EpochResult]) -> None:
        run = worker.run
        if run is not None and epochs:
            seconds = run.now_s / len(epochs)  # those that were heard together came one after another
            for result in epochs:
                self._pace.epoch(run, worker.place, worker.kind, seconds, lanes=len(result.numbers))

    def _take(self, worker: Worker[P], message: FromWorker) -> Report | None:
        if isinstance(message, Unfit):
            self._turn_away(worker, message.detail)
            return None
        if isinstance(message, Beat):
            return None
        if isinstance(message, Hello):
            self._welcome(worker, message)
            return None
        if isinstance(message, LastReport):
            worker.free()
            self._slow.pop(worker.place, None)
        return message

    def _turn_away(self, worker: Worker[P], detail: str) -> None:
        """One machine of many may be ill, one worker of many not find its GPU; else nobody can train. Raises PoolError."""
        worker.unfit = detail
        if not worker.place.node and all(other.unfit for other in self.workers):
            raise PoolError(detail)
        worker.process.kill()

    def _welcome(self, worker: Worker[P], hello: Hello) -> None:
        where = (
            worker.place.device if not worker.place.host else f"{worker.place.device} of {worker.place.host}"
        )
        log.info("%s-%d: process %d is ready on %s", self._name, worker.number, hello.pid, where)
        worker.pid, worker.kind = hello.pid, hello.kind
        self._slowest_start_s = max(self._slowest_start_s or 0.0, time.monotonic() - worker.hired_at)
        self._stillborn.clear()
        if hello.memory_bytes:
            device = worker.place.node, worker.place.device
            sharers = sum((other.place.node, other.place.device) == device for other in self.workers)
            worker.memory_bytes = hello.memory_bytes // sharers

    def _bury(self, worker: Worker[P]) -> list[Report]:
        """Say that a task is lost, and have a new worker in the dead one's place, if that is still there."""
        ended = worker.process.obituary()  # which also sees to it that nothing is left of it
        obituary = worker.given_up or worker.unfit or ended
        log.warning("%s-%d: %s: %s", self._name, worker.number, obituary, worker.process.last_words())
        reports: list[Report] = []
        if worker.task is not None and worker.unheeded_s is None:
            reports = [_failed(worker.task, Reason.LOST, obituary)]
        elif worker.task is not None:
            why = "the cohort was cancelled, and its worker ended in the middle of an epoch"
            reports = [_failed(worker.task, Reason.CANCELLED, why)]
        self.workers.remove(worker)
        if worker.place in self._wanted:
            self._resting[worker.place] = time.monotonic() + self._rest_s(worker)
            self._end_rests()
        return reports

    def _rest_s(self, worker: Worker[P]) -> float:
        """How long a place should rest after a death there: longer and longer where none becomes ready. Raises PoolError."""
        if worker.slow:  # a new process may do; where it does not, the place is at fault
            again = self._slow[worker.place] - 1
            return min(2.0**again * SLOW_REST_S, LONGEST_REST_S) if again else 0.0
        if worker.pid is not None:
            return 0.0
        # In a cluster it may have waited for a core that somebody else's work has, and so will the next one.
        if worker.place.node and worker.given_up:
            return 0.0
        self._stillborn[worker.place] += 1
        n_times, alone = self._stillborn[worker.place], all(other.pid is None for other in self.workers)
        # Of one place: many die at once with their machine, or with whatever starts them.
        if alone and n_times >= MAX_STILLBORN:
            obituary = worker.given_up or worker.unfit or worker.process.obituary()
            raise PoolError(
                f"{n_times} workers in a row died before they were ready; "
                f"the last: {obituary}; its last words: {worker.process.last_words()}"
            )
        if alone and not worker.place.node and not worker.unfit:
            return 0.0
        # The others can wait, or the machine may just have gone and nobody has said so yet.
        return min(2.0**n_times / 4, LONGEST_REST_S)


def _order(place: Place) -> tuple[int, str, str]:
    return place.rank, place.host, place.node


def _who(worker: Worker[P]) -> str:
    return f"worker process {worker.pid or '(starting)'}"


def _attempt_of(task: Task | None) -> int:
    return task.attempt if isinstance(task, CohortTask) else 0


def _failed(task: Task, reason: Reason, detail: str) -> CohortFailed:
    return CohortFailed(cohort=task.id, attempt=_attempt_of(task), reason=reason.value, detail=detail)
