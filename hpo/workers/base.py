"""What a pool of workers can do: take data once, take tasks, hand back reports. No torch, no ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hpo.cohort import Report, Task
from hpo.dataset import TrainingData


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A share of a device that trains one cohort at a time.

    device: cpu or cuda:N; kind: of device, as it calls itself; node: the machine, where a pool has several
    memory_bytes: what a cohort may take; task: the id of what it does now
    ready: its process has begun to work; seen_s: since that was last heard
    """

    id: str
    device: str
    memory_bytes: int
    task: int | None = None
    kind: str = "cpu"
    node: str = ""
    ready: bool = True
    seen_s: float = 0.0


class WorkerPool(Protocol):
    """Workers of one kind. Not thread-safe: one coordinator thread drives it.

    Reports about a cohort carry its id and attempt. A worker that dies yields CohortFailed `lost`
    and is replaced, or goes if its machine has gone; the pool never repeats a task by itself.
    """

    def start(self) -> None:
        """Begin to start workers, and return before they are ready. Raises PoolError."""

    def slots(self) -> Sequence[Slot]:
        """The slots there are, starting ones included; in a cluster they come and go, and there may be none."""

    def put_data(self, key: str, data: TrainingData) -> None:
        """Make data known to every worker, once. A key never changes its data."""

    def drop_data(self, key: str) -> None:
        """Forget data that no task under way needs, and its memory; a key that is not known is left.

        The key may be put again.
        """

    def room(self) -> int:
        """How many tasks it would take now: one for each free slot. A slot that goes leaves its task in line."""

    def submit(self, task: Task) -> None:
        """Give a task to a free slot. Raises PoolError when there is no room or no worker can be started."""

    def poll(self, timeout_s: float) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError."""

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Answer an EpochResult of a judged cohort: which of its `numbers` go on.

        An empty mask may be sent to any cohort at any time: its trials end PRUNED after the epoch they are in.
        """

    def cancel(self, cohort: int) -> None:
        """Ask a cohort to end at once; its last report is CohortFailed `cancelled`."""

    def close(self) -> None:
        """End all workers; no process of the pool outlives this call."""
