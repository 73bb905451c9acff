"""What every pool does alike: give tasks to free slots, take reports, replace workers that die."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hpo.cohort import CohortFailed, CohortTask, LastReport, Report, Task
from hpo.errors import PoolError
from hpo.states import Reason
from hpo.workers.base import Slot
from hpo.workers.messages import BEAT_S, Beat, Cancel, FromWorker, Hello, Keep, Order, ToWorker, Unfit

log = logging.getLogger(__name__)

MAX_STILLBORN = 5  # workers in a row that die before they are ready
# A worker with a task beats every BEAT_S, also in the longest epoch, for torch lets other threads run. Only
# its start, which loads large libraries, perhaps from a slow disk, may hold the beat back.
SILENCE_S = 60.0
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
    """One slot and the process that fills it. order: a task that waits until the process is ready."""

    place: int
    device: str
    memory_bytes: int
    process: P
    pid: int | None = None  # known when it is ready
    task: Task | None = None
    order: Order | None = None
    cancelled_at: float | None = None  # by time.monotonic()
    silent_s: float = 0.0  # since it was last heard or got its task, as far as the pool listened
    given_up: str = ""  # why its pool has killed it, if not for a cancellation

    @property
    def attempt(self) -> int:
        """Of its task; 0 for a ScoreTask."""
        return self.task.attempt if isinstance(self.task, CohortTask) else 0

    @property
    def deaf(self) -> bool:
        """Whether it has not heeded a cancellation in time."""
        return self.cancelled_at is not None and time.monotonic() - self.cancelled_at > CANCEL_GRACE_S

    @property
    def frozen(self) -> bool:
        """Whether it has a task and has not been heard for too long: stopped, or stuck in the kernel."""
        limit = SILENCE_S if self.pid is not None else SILENCE_AT_START_S
        return self.task is not None and self.silent_s > limit

    def free(self) -> None:
        """It has nothing to do."""
        self.task = self.order = self.cancelled_at = None


class Crew(Generic[P]):
    """The workers of a pool. hire: starts the process of a slot, given its place and device; may raise PoolError."""

    def __init__(
        self, name: str, devices: Sequence[str], memory_bytes: int, hire: Callable[[int, str], P]
    ) -> None:
        self._name, self._hire = name, hire
        self._stillborn = 0
        self._listened_at = time.monotonic()
        self._never_begun: list[Report] = []  # of tasks that were cancelled before a worker began them
        self.workers: list[Worker[P]] = [
            Worker(place=place, device=device, memory_bytes=memory_bytes, process=hire(place, device))
            for place, device in enumerate(devices)
        ]

    def slots(self) -> list[Slot]:
        """The slots as the coordinator sees them."""
        return [
            Slot(
                id=f"{self._name}-{worker.place}",
                device=worker.device,
                memory_bytes=worker.memory_bytes,
                task=None if worker.task is None else worker.task.id,
            )
            for worker in self.workers
        ]

    def pids(self) -> list[int]:
        """The processes that are ready, by slot."""
        return [worker.pid for worker in self.workers if worker.pid is not None]

    def room(self) -> int:
        """How many slots are free."""
        return sum(worker.task is None for worker in self.workers)

    def tell_all(self, message: ToWorker) -> None:
        """Say something to every worker that is ready; the others have not heard of anything yet."""
        for worker in self.workers:
            if worker.pid is not None:
                worker.process.send(message)

    def submit(self, order: Order) -> None:
        """Give a task to a free slot. Raises PoolError when none is free."""
        free = [worker for worker in self.workers if worker.task is None]
        if not free:
            raise PoolError("no slot is free; wait for a report first")
        # A worker that is ready begins now, another only after its import of torch.
        worker = next((worker for worker in free if worker.pid is not None), free[0])
        worker.task, worker.silent_s = order.task, 0.0
        if worker.pid is None:
            worker.order = order
        else:
            worker.process.send(order)

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Pass a keep mask on to the worker that trains the cohort."""
        for worker in self._working_on(cohort):
            worker.process.send(Keep(cohort=cohort, attempt=worker.attempt, mask=tuple(mask)))

    def cancel(self, cohort: int) -> None:
        """Ask for the end of a cohort; one that no worker has begun is ended here."""
        for worker in self._working_on(cohort):
            if worker.order is not None:
                self._never_begun.append(_failed(worker, Reason.CANCELLED, "the cohort was cancelled"))
                worker.free()
            elif worker.cancelled_at is None:
                worker.cancelled_at = time.monotonic()
                worker.process.send(Cancel(cohort=cohort, attempt=worker.attempt))

    def poll(
        self, timeout_s: float, wait: Callable[[Sequence[Worker[P]], float], Sequence[Worker[P]]]
    ) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError.

        wait: gives the workers that have something to say or have died, after at most so many seconds
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._end_deaf_and_frozen()
            reports, self._never_begun = self._never_begun, []
            left = 0.0 if reports else min(BEAT_S, max(0.0, deadline - time.monotonic()))
            if any(worker.cancelled_at is not None for worker in self.workers):
                left = min(left, CANCEL_GRACE_S / 8)
            heard = wait(self.workers, left)
            self._count_silence(heard)
            for worker in heard:
                reports += self._receive(worker)
            if reports or time.monotonic() >= deadline:
                return reports

    def _end_deaf_and_frozen(self) -> None:
        """Kill workers that no longer hear or speak; they are then found dead."""
        for worker in self.workers:
            if worker.frozen and not worker.given_up:
                worker.given_up = f"worker process {worker.pid or '(starting)'} was silent for {worker.silent_s:.0f} s and was ended"
            if worker.given_up or worker.deaf:
                worker.process.kill()

    def _count_silence(self, heard: Sequence[Worker[P]]) -> None:
        """Add the time since the last look, but not that in which this process itself slept or was busy."""
        now = time.monotonic()
        passed, self._listened_at = min(now - self._listened_at, BEAT_S), now
        spoke = {worker.place for worker in heard}
        for worker in self.workers:
            worker.silent_s = 0.0 if worker.place in spoke else worker.silent_s + passed

    def _working_on(self, cohort: int) -> list[Worker[P]]:
        return [worker for worker in self.workers if worker.task is not None and worker.task.id == cohort]

    def _receive(self, worker: Worker[P]) -> list[Report]:
        messages = worker.process.receive()
        if messages is None:
            return self._replace(worker)
        return [report for message in messages if (report := self._take(worker, message)) is not None]

    def _take(self, worker: Worker[P], message: FromWorker) -> Report | None:
        if isinstance(message, Unfit):
            raise PoolError(message.detail)
        if isinstance(message, Beat):
            return None
        if isinstance(message, Hello):
            self._welcome(worker, message)
            return None
        if isinstance(message, LastReport):
            worker.free()
        return message

    def _welcome(self, worker: Worker[P], hello: Hello) -> None:
        log.info("%s-%d: process %d is ready on %s", self._name, worker.place, hello.pid, worker.device)
        worker.pid, self._stillborn = hello.pid, 0
        if hello.memory_bytes:
            sharers = sum(other.device == worker.device for other in self.workers)
            worker.memory_bytes = hello.memory_bytes // sharers
        if worker.order is not None:
            order, worker.order = worker.order, None
            worker.process.send(order)

    def _replace(self, worker: Worker[P]) -> list[Report]:
        """Put a new process in a dead one's place. A task it had begun is lost, another waits for the new one."""
        obituary, last_words = worker.process.obituary(), worker.process.last_words()
        obituary = worker.given_up or obituary
        log.warning("%s-%d: %s: %s", self._name, worker.place, obituary, last_words)
        reports: list[Report] = []
        if worker.task is not None and worker.order is None:
            if worker.cancelled_at is None:
                reports = [_failed(worker, Reason.LOST, obituary)]
            else:
                why = "the cohort was cancelled, and its worker ended in the middle of an epoch"
                reports = [_failed(worker, Reason.CANCELLED, why)]
            worker.free()
        if worker.pid is None:
            self._stillborn += 1
            if self._stillborn >= MAX_STILLBORN:
                raise PoolError(
                    f"{self._stillborn} workers in a row died before they were ready; "
                    f"the last: {obituary}; its last words: {last_words}"
                )
        worker.pid, worker.silent_s, worker.given_up = None, 0.0, ""
        worker.process = self._hire(worker.place, worker.device)
        return reports


def _failed(worker: Worker[P], reason: Reason, detail: str) -> CohortFailed:
    cohort = worker.task.id if worker.task is not None else 0
    return CohortFailed(cohort=cohort, attempt=worker.attempt, reason=reason.value, detail=detail)
