"""A study's share of a pool: a WorkerPool of its own, as far as the study can tell."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.cohort import CohortFailed, CohortTask, Report, Task
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.states import Reason
from hpo.workers.base import Slot

if TYPE_CHECKING:
    from hpo.coordinator.sharing import SharedPool


class Share:
    """Made by SharedPool.share, used by one thread. It sees all slots; those that train for others seem idle.

    weight: of the share among its owner's; may be set at any time
    """

    def __init__(self, pool: SharedPool, key: int, name: str, *, owner: str | None, weight: float) -> None:
        self._pool = pool
        self.key, self.name, self.owner, self.weight = key, name, owner, weight
        self.waiting: deque[Task] = deque()
        self.training: dict[int, int] = {}  # the pool's id of a task -> this share's
        self.masks: dict[int, tuple[bool, ...]] = {}  # for those that wait
        self.heard = threading.Condition(pool.lock)
        self._reports: deque[Report] = deque()
        self._promised = 0  # that room() said it would take

    def start(self) -> None:
        """The pool has been started."""

    def slots(self) -> Sequence[Slot]:
        """All slots; task: what those do that train for this share, None on the others."""
        with self._pool.lock:
            return self._pool.slots_for(self)

    def fair(self) -> int:
        """How many of the slots to plan for: what others train on now may be theirs again and again."""
        with self._pool.lock:
            return self._pool.fair(self)

    def pids(self) -> list[int]:
        """The processes of the pool, where it knows them."""
        return self._pool.call(self._pool.pids)

    def put_data(self, key: str, data: TrainingData) -> None:
        """Make data known to every worker. Raises PoolError."""
        self._pool.call(lambda: self._pool.put_data(self, key, data))

    def drop_data(self, key: str) -> None:
        """This study needs the data no more. Raises PoolError."""
        self._pool.call(lambda: self._pool.drop_data(self, key))

    def room(self) -> int:
        """How many tasks it would take now: for each free slot, and some that wait. Raises PoolError."""
        with self._pool.lock:
            self._check()
            self._promised = max(0, self._pool.n_free(), self._pool.depth(self) - len(self.waiting))
            return self._promised

    def submit(self, task: Task) -> None:
        """Give a task to a free slot, or have it wait for its turn. Raises PoolError when there is no room."""
        with self._pool.lock:
            # What was said holds: others may have been quicker since, and then it waits.
            if not self._promised and not self.room():
                raise PoolError("no slot is free, and enough tasks wait already; wait for a report first")
            self._promised -= 1
            self.waiting.append(task)
            self._pool.wake()

    def poll(self, timeout_s: float) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError."""
        deadline = time.monotonic() + timeout_s
        with self._pool.lock:
            while not self._reports:
                self._check()
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.heard.wait(left)
            reports = list(self._reports)
            self._reports.clear()
        return reports

    def hear(self, report: Report) -> None:
        """A report has come. Called with the lock."""
        self._reports.append(report)
        self.heard.notify_all()

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Answer an EpochResult of a judged cohort; one that waits for its turn hears it when it begins."""
        with self._pool.lock:
            if any(task.id == cohort for task in self.waiting):
                self.masks[cohort] = tuple(mask)
            else:
                self._pool.order(
                    lambda: self._pool.tell(self, cohort, lambda id_: self._pool.keep(id_, mask))
                )

    def cancel(self, cohort: int) -> None:
        """Ask a cohort to end at once; one that has not begun ends here."""
        with self._pool.lock:
            for task in [task for task in self.waiting if task.id == cohort]:
                self.waiting.remove(task)
                self.masks.pop(cohort, None)
                self.hear(_cancelled(task))
            self._pool.order(lambda: self._pool.tell(self, cohort, self._pool.cancel))

    def close(self) -> None:
        """End what trains for this share, and let go of its data; once more does nothing."""
        self._pool.leave(self)

    def _check(self) -> None:
        if self._pool.broken is not None:
            raise PoolError(self._pool.broken.detail)


def _cancelled(task: Task) -> CohortFailed:
    return CohortFailed(
        cohort=task.id,
        attempt=task.attempt if isinstance(task, CohortTask) else 0,
        reason=Reason.CANCELLED.value,
        detail="the cohort was cancelled before it began",
    )
