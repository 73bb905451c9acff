"""What a pool and a worker process say to each other, besides tasks and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpo.cohort import Report, Task

BEAT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Born:
    """A worker has been forked for whoever listens, who is about to become its parent."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A worker is ready.

    memory_bytes: what is free on its device, 0 when the pool knows better; kind: what the device calls itself
    """

    pid: int
    memory_bytes: int = 0
    kind: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A worker cannot work on its device and says why in one sentence."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A worker lives, however long its epoch takes; it says so every BEAT_S seconds while it has a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Do a task.

    data: where the task's data is, in the pool's own way (a folder, a reference); None when nobody put it there
    """

    task: Task
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Which of the trials of the last EpochResult go on."""

    cohort: int
    attempt: int
    mask: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """End a cohort at once."""

    cohort: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Let go of data, named as in orders: no later order will need it."""

    data: Any


ToWorker = Order | Keep | Cancel | Forget
FromWorker = Hello | Unfit | Beat | Report
