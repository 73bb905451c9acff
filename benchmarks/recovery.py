"""How long until training goes on after kill -9: of a worker, of a coordinator, of a coordinator's whole machine.

    python benchmarks/recovery.py [--only worker ray coordinator machine] [--times 5] [--save]

The program `hpo` itself, on SQLite. It counts until a cohort that was begun after the kill is in the database as
done, so a whole training of two epochs and its writes are in that time. There is one worker, so that no other takes
the cohort. The machine that is gone is a coordinator under another host name, for whose processes nobody here can
speak; another coordinator stands by.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import psutil

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "recovery.json"
STUDY = """
name: broken
data: {source: digits}
trials: 100000
epochs: 2
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  hidden_units: 32
"""
HPO = (sys.executable, "-m", "hpo.cli.main")
ONE = ("--workers", "1")
ELSEWHERE = ("unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh")
TRAINERS = ("hpo-worker", "ray::RayWorker")
PATIENCE_S, LOOK_S = 120.0, 0.005
T = TypeVar("T")


class Place:
    """A folder with a database, the study file, and whatever programs run on it."""

    def __init__(self, home: Path) -> None:
        self.home, self.programs = home, list[subprocess.Popen[bytes]]()
        self.environment = os.environ | {"HPO_HOME": str(home), "PYTHONPATH": str(ROOT)}
        for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE"):
            self.environment.pop(name, None)
        (home / "study.yaml").write_text(STUDY)

    def start(self, *words: str, before: tuple[str, ...] = ()) -> psutil.Process:
        """A program of hpo, which goes on running."""
        with (self.home / "out.txt").open("ab") as out:
            program = subprocess.Popen(
                [*before, *HPO, *words], env=self.environment, cwd=self.home, stdout=out, stderr=out
            )
        self.programs.append(program)
        return psutil.Process(program.pid)

    def ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What the database says; nothing before it is there."""
        try:
            with closing(sqlite3.connect(f"file:{self.home / 'hpo.db'}?mode=ro", uri=True)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []

    def done_since(self, moment: datetime) -> bool:
        """Whether a cohort is done that was begun after that."""
        query = "SELECT count(*) FROM hpo_cohorts WHERE state = 'DONE' AND started_at > ?"
        return any(n for (n,) in self.ask(query, moment.replace(tzinfo=None).isoformat(sep=" ")))


@contextmanager
def place() -> Iterator[Place]:
    """A place of its own; at the end nothing of it runs."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        made = Place(Path(home))
        try:
            yield made
        finally:
            for program in made.programs:
                if program.poll() is None:
                    program.send_signal(signal.SIGTERM)
                    program.wait(60)


def until(condition: Callable[[], T]) -> T:
    """What a condition gives once it gives something true. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError("waited in vain")
        time.sleep(LOOK_S)
    return found


def trains_again(there: Place) -> float:
    """Seconds until a cohort has been trained from its beginning to its end."""
    began, moment = time.perf_counter(), datetime.now(UTC)
    until(lambda: there.done_since(moment))
    return time.perf_counter() - began


def trainers(program: psutil.Process) -> list[psutil.Process]:
    """The processes that train for a program."""
    return [child for child in program.children(recursive=True) if child.name() in TRAINERS]


def worker(times: int, pool: str = "local") -> list[float]:
    """Kill the worker of one study again and again."""
    took: list[float] = []
    with place() as there:
        program = there.start("run", "study.yaml", "--pool", pool, *ONE)
        for _ in range(times):
            trains_again(there)
            time.sleep(random.uniform(1.0, 2.0))
            (victim,) = trainers(program)
            victim.kill()
            took.append(trains_again(there))
    return took


def ray(times: int) -> list[float]:
    """As worker, of an actor of Ray."""
    return worker(times, "ray")


def coordinator(times: int) -> list[float]:
    """Kill the coordinator of a server whose supervisor lives."""
    took = []
    for _ in range(
        times
    ):  # a server of its own each time: a part that dies often is started ever more slowly
        with place() as there:
            server = there.start("serve", "--port", "0", "--pool", "local", *ONE)
            submit(there)
            (victim,) = [child for child in server.children() if "coordinator" in child.cmdline()]
            time.sleep(random.uniform(1.0, 2.0))
            victim.kill()
            took.append(trains_again(there))
    return took


def machine(times: int) -> list[float]:
    """Kill all processes of one of two coordinators at once."""
    took = []
    for _ in range(times):
        with place() as there:
            words = ("serve", "--only", "coordinator", "--pool", "local", *ONE)
            first = there.start(*words, before=ELSEWHERE)
            submit(there)
            there.start(*words)
            until(lambda: len(there.ask("SELECT host FROM hpo_coordinators")) == 2)
            time.sleep(random.uniform(3.0, 6.0))
            for process in (first, *first.children(recursive=True)):
                process.kill()
            took.append(trains_again(there))
    return took


def submit(there: Place) -> None:
    """Put the study into the database, and wait until it is under way."""
    subprocess.run(
        [*HPO, "submit", "study.yaml"], env=there.environment, cwd=there.home, check=True, capture_output=True
    )
    trains_again(there)


MEASURED: dict[str, Callable[[int], list[float]]] = {
    "worker": worker,
    "ray": ray,
    "coordinator": coordinator,
    "machine": machine,
}


def main() -> None:
    """Measure and print, and save if so wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=MEASURED, default=list(MEASURED))
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    words = parser.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in words.only:
        seconds = MEASURED[name](words.times)
        found[name] = {
            "median_s": round(median(seconds), 2),
            "all_s": [round(one, 2) for one in sorted(seconds)],
            "cores": len(os.sched_getaffinity(0)),
            "load": round(os.getloadavg()[0], 1),
        }
        print(f"{name}: {json.dumps(found[name])}", flush=True)
        if words.save:
            RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
