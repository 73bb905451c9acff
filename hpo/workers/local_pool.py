"""A pool of child processes on this machine: one per core with one thread, or one per GPU."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from hpo.cohort import CohortTask, Report, Task
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.workers.base import Slot
from hpo.workers.child_process import ChildProcess
from hpo.workers.crew import Crew, Worker
from hpo.workers.devices import memory_per_worker, worker_devices
from hpo.workers.hiring import Hiring, way_of_hiring
from hpo.workers.messages import Forget, Order
from hpo.workers.places import Place
from hpo.workers.scratch import Scratch
from hpo.workers.shared_data import write_data


class LocalPool:
    """A WorkerPool of child processes. Data is written once, below `scratch`, and mapped by all workers.

    n_workers: None means one per core, or one per GPU
    device: auto, cpu, cuda or cuda:N
    A ScoreTask that cannot be done is reported as CohortFailed of its id, attempt 0.
    """

    def __init__(self, *, n_workers: int | None, device: str = "auto", scratch: Path) -> None:
        self._n_workers, self._device, self._parent = n_workers, device, scratch
        self._scratch: Scratch | None = None
        self._hiring: Hiring | None = None
        self._crew: Crew[ChildProcess] | None = None
        self._processes: list[ChildProcess] = []  # all that were ever started and may still live
        self._folders: dict[str, str] = {}  # data key -> folder
        self._n_folders = 0  # that there ever were
        self._owner = os.getpid()

    def start(self) -> None:
        """Begin to start workers, and return before they are ready. Raises PoolError."""
        devices = worker_devices(self._n_workers, self._device)
        try:
            self._scratch = Scratch(self._parent)
        except OSError as error:
            raise PoolError(f"no folder for training data below {self._parent}: {error.strerror}") from error
        self._hiring = way_of_hiring(self._scratch.folder / "nursery.log")
        atexit.register(self.close)
        try:
            self._crew = Crew("local", self._hire)
            memory_bytes = memory_per_worker(len(devices))
            self._crew.fill(
                Place(device=device, memory_bytes=memory_bytes, rank=rank)
                for rank, device in enumerate(devices)
            )
        except PoolError:
            self.close()
            raise

    def slots(self) -> Sequence[Slot]:
        """The slots there are, starting ones included. A GPU's memory is known when its worker is ready."""
        return self._started().slots()

    def pids(self) -> list[int]:
        """The processes that are ready, by slot."""
        return self._started().pids()

    def put_data(self, key: str, data: TrainingData) -> None:
        """Make data known to every worker, once; a key that is known is left as it is. Raises PoolError."""
        if key in self._folders:
            return
        folder = self._folder() / f"data-{self._n_folders}"
        self._n_folders += 1
        try:
            write_data(folder, data)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise PoolError(f"training data could not be written to {folder}: {error.strerror}") from error
        self._folders[key] = str(folder)

    def drop_data(self, key: str) -> None:
        """Forget data, its folder, and what the workers have mapped of it."""
        folder = self._folders.pop(key, None)
        if folder is not None:
            self._started().tell_all(Forget(data=folder))
            shutil.rmtree(folder, ignore_errors=True)

    def room(self) -> int:
        """How many tasks it would take now."""
        return self._started().room()

    def submit(self, task: Task) -> None:
        """Give a task to a free slot. Raises PoolError when none is free."""
        folder = self._folders.get(task.data) if isinstance(task, CohortTask) else None
        self._started().submit(Order(task=task, data=folder))

    def poll(self, timeout_s: float) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError."""
        return self._started().poll(timeout_s, _heard)

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Answer an EpochResult of a judged cohort: which of its `numbers` go on."""
        self._started().keep(cohort, mask)

    def cancel(self, cohort: int) -> None:
        """Ask a cohort to end at once; its last report is CohortFailed `cancelled`.

        A worker that does not heed it within CANCEL_GRACE_S, in a long epoch, is killed and replaced.
        """
        self._started().cancel(cohort)

    def close(self) -> None:
        """End all workers; no process of the pool outlives this call. Once more does nothing."""
        if os.getpid() != self._owner:
            return  # a fork of the owner has come to its end: the workers are not its own
        atexit.unregister(self.close)
        if self._hiring is not None:
            self._hiring.close(self._processes)
        self._processes = []
        if self._scratch is not None:
            self._scratch.remove()

    def _started(self) -> Crew[ChildProcess]:
        if self._crew is None:
            raise PoolError("the pool has not been started")
        return self._crew

    def _folder(self) -> Path:
        if self._scratch is None:
            raise PoolError("the pool has not been started")
        return self._scratch.folder

    def _hire(self, place: Place) -> ChildProcess:
        if self._hiring is None:
            raise PoolError("the pool has not been started")
        try:
            log = self._folder() / f"worker-{place.rank}.log"
            process = self._hiring.hire(device=place.device, log=log)
        except OSError as error:
            raise PoolError(f"a worker process could not be started: {error.strerror}") from error
        self._processes = [*(old for old in self._processes if not old.ended), process]
        return process


def _heard(workers: Sequence[Worker[ChildProcess]], timeout_s: float) -> Sequence[Worker[ChildProcess]]:
    """Workers that have said something or died, waiting at most so long."""
    by_connection: dict[object, Worker[ChildProcess]] = {w.process.connection: w for w in workers}
    connections: list[Connection] = [worker.process.connection for worker in workers]
    return [by_connection[connection] for connection in wait(connections, timeout_s)]
