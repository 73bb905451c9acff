"""A pool of child processes on this machine: one per core with one thread, or one per GPU."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from hpo.cohort import CohortDone, CohortFailed, CohortTask, Report, ScoreDone, Task
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.states import Reason
from hpo.workers.base import Slot
from hpo.workers.child_process import ChildProcess, end
from hpo.workers.devices import memory_per_worker, worker_devices
from hpo.workers.messages import Cancel, FromWorker, Hello, Keep, Order, Unfit
from hpo.workers.scratch import Scratch
from hpo.workers.shared_data import write_data

log = logging.getLogger(__name__)

MAX_STILLBORN = 5  # workers in a row that die before they are ready
CANCEL_GRACE_S = 4.0  # a cohort looks for word between epochs; a worker whose epoch is longer is killed


@dataclass(slots=True, kw_only=True)
class _Worker:
    """One worker of the pool. order: a task that waits until the process is ready."""

    place: int
    device: str
    memory_bytes: int
    process: ChildProcess
    ready: bool = False
    task: Task | None = None
    order: Order | None = None
    cancelled_at: float | None = None  # by time.monotonic()

    @property
    def attempt(self) -> int:
        return self.task.attempt if isinstance(self.task, CohortTask) else 0

    def free(self) -> None:
        self.task = self.order = self.cancelled_at = None


class LocalPool:
    """A WorkerPool of child processes. Data is written once, below `scratch`, and mapped by all workers.

    n_workers: None means one per core, or one per GPU
    device: auto, cpu, cuda or cuda:N
    A ScoreTask that cannot be done is reported as CohortFailed of its id, attempt 0.
    """

    def __init__(self, *, n_workers: int | None, device: str = "auto", scratch: Path) -> None:
        self._wanted, self._device, self._parent = n_workers, device, scratch
        self._scratch: Scratch | None = None
        self._workers: list[_Worker] = []
        self._folders: dict[str, str] = {}  # data key -> folder
        self._cancelled: list[Report] = []  # of tasks that no worker had begun
        self._stillborn = 0
        self._owner = os.getpid()

    def start(self) -> None:
        """Begin to start workers, and return before they are ready. Raises PoolError."""
        devices = worker_devices(self._wanted, self._device)
        memory = memory_per_worker(len(devices))
        try:
            self._scratch = Scratch(self._parent)
        except OSError as error:
            raise PoolError(f"no folder for training data below {self._parent}: {error.strerror}") from error
        atexit.register(self.close)
        for place, device in enumerate(devices):
            process = self._start_process(place, device)
            self._workers.append(_Worker(place=place, device=device, memory_bytes=memory, process=process))

    def slots(self) -> Sequence[Slot]:
        """The slots there are, starting ones included. A GPU's memory is known when its worker is ready."""
        return [
            Slot(
                id=f"local-{worker.place}",
                device=worker.device,
                memory_bytes=worker.memory_bytes,
                task=None if worker.task is None else worker.task.id,
            )
            for worker in self._workers
        ]

    def pids(self) -> list[int]:
        """The process of each slot."""
        return [worker.process.pid for worker in self._workers]

    def put_data(self, key: str, data: TrainingData) -> None:
        """Make data known to every worker, once; a key that is known already is left as it is. Raises PoolError."""
        if key in self._folders:
            return
        folder = self._started().folder / f"data-{len(self._folders)}"
        try:
            write_data(folder, data)
        except OSError as error:
            raise PoolError(f"training data could not be written to {folder}: {error.strerror}") from error
        self._folders[key] = str(folder)

    def submit(self, task: Task) -> None:
        """Give a task to a free slot. Raises PoolError when none is free."""
        # A worker that is ready begins now, one that starts only after the import of torch.
        free = sorted((w for w in self._workers if w.task is None), key=lambda w: not w.ready)
        if not free:
            raise PoolError("no slot is free; wait for a report first")
        worker = free[0]
        folder = self._folders.get(task.data) if isinstance(task, CohortTask) else None
        worker.task, order = task, Order(task=task, folder=folder)
        if worker.ready:
            worker.process.send(order)
        else:
            worker.order = order

    def poll(self, timeout_s: float) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._kill_deaf()
            reports, self._cancelled = self._cancelled, []
            left = 0.0 if reports else max(0.0, deadline - time.monotonic())
            for worker in self._heard(left):
                reports += self._receive(worker)
            if reports or time.monotonic() >= deadline:
                return reports

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Answer an EpochResult of a judged cohort: which of its `numbers` go on."""
        for worker in self._workers:
            if worker.task is not None and worker.task.id == cohort and worker.order is None:
                worker.process.send(Keep(cohort=cohort, attempt=worker.attempt, mask=tuple(mask)))

    def cancel(self, cohort: int) -> None:
        """Ask a cohort to end at once; its last report is CohortFailed `cancelled`."""
        for worker in self._workers:
            if worker.task is None or worker.task.id != cohort or worker.cancelled_at is not None:
                continue
            if worker.order is not None:
                self._cancelled.append(_failed(worker, Reason.CANCELLED, "The cohort was cancelled."))
                worker.free()
            else:
                worker.cancelled_at = time.monotonic()
                worker.process.send(Cancel(cohort=cohort, attempt=worker.attempt))

    def close(self) -> None:
        """End all workers; no process of the pool outlives this call."""
        if os.getpid() != self._owner:
            return  # a fork of the owner has come to its end: the workers are not its own
        atexit.unregister(self.close)
        end([worker.process for worker in self._workers])
        self._workers = []
        if self._scratch is not None:
            self._scratch.remove()

    def _started(self) -> Scratch:
        if self._scratch is None:
            raise PoolError("the pool has not been started")
        return self._scratch

    def _start_process(self, place: int, device: str) -> ChildProcess:
        try:
            return ChildProcess(device=device, log=self._started().folder / f"worker-{place}.log")
        except OSError as error:
            raise PoolError(f"a worker process could not be started: {error.strerror}") from error

    def _heard(self, timeout_s: float) -> list[_Worker]:
        """Workers that have said something or died, waiting at most so long."""
        if self._cancels():
            timeout_s = min(timeout_s, CANCEL_GRACE_S / 8)
        by_connection: dict[Connection, _Worker] = {w.process.connection: w for w in self._workers}
        return [by_connection[ready] for ready in wait(list(by_connection), timeout_s)]  # type: ignore[index]

    def _cancels(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.cancelled_at is not None]

    def _kill_deaf(self) -> None:
        now = time.monotonic()
        for worker in self._cancels():
            if worker.cancelled_at is not None and now - worker.cancelled_at > CANCEL_GRACE_S:
                worker.process.kill()

    def _receive(self, worker: _Worker) -> list[Report]:
        messages = worker.process.receive()
        if messages is None:
            return self._bury(worker)
        return [report for message in messages if (report := self._take(worker, message)) is not None]

    def _take(self, worker: _Worker, message: FromWorker) -> Report | None:
        if isinstance(message, Unfit):
            raise PoolError(message.detail)
        if isinstance(message, Hello):
            worker.ready, self._stillborn = True, 0
            if message.memory_bytes:
                sharers = sum(other.device == worker.device for other in self._workers)
                worker.memory_bytes = message.memory_bytes // sharers
            log.info("worker %d: process %d is ready on %s", worker.place, message.pid, worker.device)
            if worker.order is not None:
                worker.process.send(worker.order)
                worker.order = None
            return None
        if isinstance(message, CohortDone | CohortFailed | ScoreDone):
            worker.free()
        return message

    def _bury(self, worker: _Worker) -> list[Report]:
        """Replace a dead worker. Its task is lost, unless it had not begun: then the new one does it."""
        process, began = worker.process, worker.task is not None and worker.order is None
        detail = f"worker process {process.pid} {process.obituary()}"
        log.warning("worker %d: %s: %s", worker.place, detail, process.last_words())
        reports: list[Report] = []
        if began:
            reason = Reason.LOST if worker.cancelled_at is None else Reason.CANCELLED
            reports = [_failed(worker, reason, detail)]
            worker.free()
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= MAX_STILLBORN:
                raise PoolError(
                    f"{self._stillborn} workers in a row died before they were ready: the last {detail}; "
                    f"its last words: {process.last_words()}"
                )
        worker.ready = False
        worker.process = self._start_process(worker.place, worker.device)
        return reports


def _failed(worker: _Worker, reason: Reason, detail: str) -> CohortFailed:
    task = worker.task
    assert task is not None
    return CohortFailed(cohort=task.id, attempt=worker.attempt, reason=reason.value, detail=detail)
