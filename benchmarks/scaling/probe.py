"""What to count while a coordinator serves: processor time by thread and by kind of write, and what was waited for."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import psutil

WRITES = (
    "plan_trials", "start_cohort", "record_epochs", "finish_trials", "save_model", "renew", "beat", "set_notes",
    "claim_study", "release", "move_claimed", "set_note", "create_study",
)  # fmt: skip


@dataclass(slots=True)
class Spent:
    """On calls of one name. cpu_s: of the calling thread; seconds: by the clock, waiting included"""

    calls: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0


class TimedStorage:
    """A storage that notes what each of its methods takes."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self.spent: dict[str, Spent] = defaultdict(Spent)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._storage, name)
        if not callable(method):
            return method
        timed = self._timed(name, method)
        setattr(self, name, timed)
        return timed

    def _timed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def timed(*args: Any, **named: Any) -> Any:
            cpu, began = time.thread_time(), time.perf_counter()
            try:
                return method(*args, **named)
            finally:
                cpu, took = time.thread_time() - cpu, time.perf_counter() - began
                with self._lock:
                    spent = self.spent[name]
                    spent.calls += 1
                    spent.cpu_s += cpu
                    spent.seconds += took

        return timed

    def so_far(self) -> dict[str, Spent]:
        """A copy of what was noted."""
        with self._lock:
            return {n: Spent(s.calls, s.cpu_s, s.seconds) for n, s in self.spent.items()}


@dataclass(slots=True)
class Threads:
    """Processor time of this process by what its threads are for; those that have ended keep what they had."""

    _seen: dict[int, tuple[str, float]] = field(default_factory=dict)

    def look(self) -> dict[str, float]:
        """Seconds so far of the pool's owner, of the loop that serves, of all studies, and of what is left."""
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        for thread in psutil.Process().threads():
            known = self._seen.get(thread.id, ("", 0.0))[0]
            self._seen[thread.id] = (names.get(thread.id, known), thread.user_time + thread.system_time)
        parts: dict[str, float] = defaultdict(float)
        for name, seconds in self._seen.values():
            parts[_part(name)] += seconds
        return dict(parts)


def _part(name: str) -> str:
    if name in ("pool", "coordinator"):
        return {"pool": "pool's owner", "coordinator": "serving loop"}[name]
    return "studies" if "-" in name and not name.startswith("Thread") else "others"


def cpu_of(pid: int | None) -> float:
    """Processor seconds of a process and its children; 0 without one."""
    if pid is None:
        return 0.0
    parent = psutil.Process(pid)
    total = 0.0
    for process in [parent, *parent.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total + parent.cpu_times().children_user + parent.cpu_times().children_system


class Asker:
    """Asks a server for some pages twice a second, from a process of its own. seconds: by page, once closed"""

    def __init__(self, port: int, paths: tuple[str, ...]) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_ask, args=(theirs, port, paths), daemon=True)
        self._process.start()
        self.seconds: dict[str, list[float]] = {}

    def close(self) -> None:
        """Take what it has found."""
        self._ours.send(None)
        self.seconds = self._ours.recv()
        self._process.join()


def _ask(line: Any, port: int, paths: tuple[str, ...]) -> None:
    found: dict[str, list[float]] = {path: [] for path in paths}
    while not line.poll(0.5):
        for path in paths:
            began = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                found[path].append(time.perf_counter() - began)
            connection.close()
    line.send(found)


def rss_mib() -> float:
    """Memory of this process."""
    return float(psutil.Process(os.getpid()).memory_info().rss) / 2**20
