"""Ray beside the local pool, slots beside their number, and how soon a dead machine's work goes on.

    python benchmarks/cluster.py [--only overhead slots machine] [--times 3] [--save]

overhead: a study of 1,024 networks on digits, on two workers of each pool that are ready; the coordinator and SQLite are real
slots: workers of Ray that sleep instead of training, 2, 4 and 8 of them; the trials a second beside those of two
machine: a cluster of a head and three machines (raylets of their own here, with the settings of docs/howto/a-cluster.md), two of
them training; one is killed, or stopped, with all its workers; seconds until its cohort is lost, and trains on the third
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from ray._raylet import AuthenticationTokenLoader, Config
from ray.cluster_utils import Cluster

from hpo.account import Account, Role
from hpo.cohort import CohortFailed, CohortTask, EpochResult, LastReport, Report
from hpo.coordinator.jobs import load_job
from hpo.coordinator.loop import Coordinator, Options
from hpo.service.submission import draft_of_text, sender, submit_draft
from hpo.storage.open import open_storage
from hpo.testing.coordinating import job_of
from hpo.testing.pool_talk import FOREVER, KEY, make_data, make_task
from hpo.testing.ray_health import HEALTH
from hpo.testing.simulated_pool import SimulatedPool
from hpo.workers import ray_process
from hpo.workers.local_pool import LocalPool
from hpo.workers.ray_pool import RayPool
from hpo.workers.ray_token import token_file
from hpo.workers.ray_worker import RayWorker

RESULTS = Path(__file__).parent / "results" / "cluster.json"
DIGITS = """
name: NAME
data: {source: digits}
trials: 1024
epochs: 20
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  l2: {low: 1e-6, high: 1e-2, log: true}
  hidden_units: 64
"""
MADE_UP = """
name: NAME
data: {source: iris}
trials: 640
epochs: 10
parameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}}
"""
EPOCH_S, LANES = 0.1, 8
SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
PATIENCE_S = 120.0


class Sleeper(RayWorker):
    """A worker that sleeps for EPOCH_S an epoch, and reports what the simulated pool makes up."""

    def perform(self, task: Any, data: Any) -> Iterator[Report]:
        """The reports about a task."""
        pool = SimulatedPool(n_slots=1)
        if isinstance(task, CohortTask):
            pool.put_data(task.data, data)
        pool.submit(task)
        while True:
            time.sleep(EPOCH_S)
            for report in pool.poll(0.0):
                yield report
                if isinstance(report, LastReport):
                    return


def study_seconds(
    home: Path, pool: Any, text: str, name: str, *, job: Callable[..., Any], lanes: int | None
) -> float:
    """How long a started pool, all of whose workers are ready, takes for a study."""
    storage = open_storage(f"sqlite:///{home / name}.db")
    sent = text.replace("NAME", name)
    by = sender(Account(owner=None, role=Role.SUBMITTER), None, key=None, said=sent.encode())
    study = submit_draft(storage, draft_of_text(sent.encode()), by)
    what = job(storage, study)
    began = time.perf_counter()
    ended = Coordinator(storage, pool, options=Options(max_lanes=lanes)).run(what)
    seconds = time.perf_counter() - began
    if ended.n_finished != ended.n_trials:
        raise SystemExit(f"{name}: {ended.state} with {ended.n_finished} trials")
    storage.close()
    return seconds


@contextmanager
def started(pool: Any, n: int) -> Iterator[Any]:
    """The pool once n workers are ready."""
    pool.start()
    try:
        wait(pool, lambda: sum(slot.ready for slot in pool.slots()) == n)
        yield pool
    finally:
        pool.close()


def wait(pool: Any, true: Callable[[], bool]) -> list[Report]:
    """Poll until it is true; what was reported."""
    deadline, reports = time.monotonic() + PATIENCE_S, list[Report]()
    while not true():
        reports += pool.poll(0.02)
        if time.monotonic() > deadline:
            raise SystemExit("it took too long")
    return reports


def overhead(home: Path, times: int) -> dict[str, Any]:
    """Seconds of the two pools, in turn."""
    found: dict[str, list[float]] = {"local": [], "ray": []}
    for n in range(times):
        pools = {
            "local": LocalPool(n_workers=2, device="cpu", scratch=home / "scratch"),
            "ray": RayPool(n_workers=2, address=None, device="cpu", home=home),
        }
        for kind, pool in pools.items():
            with started(pool, 2):
                found[kind].append(study_seconds(home, pool, DIGITS, f"{kind}-{n}", job=load_job, lanes=None))
    ratios = [ray / local for local, ray in zip(found["local"], found["ray"], strict=True)]
    return {kind: [round(s, 2) for s in seconds] for kind, seconds in found.items()} | {
        "ray / local": round(median(ratios), 3)
    }


def slots(home: Path, times: int) -> dict[str, Any]:
    """Trials a second of 2, 4 and 8 slots."""
    ray_process.RayWorker = Sleeper  # type: ignore[misc]
    rates: dict[int, list[float]] = {2: [], 4: [], 8: []}
    for n in range(times):
        for count, seen in rates.items():
            with started(RayPool(n_workers=count, address=None, device="cpu", home=home), count) as pool:
                seconds = study_seconds(home, pool, MADE_UP, f"slots-{count}-{n}", job=job_of, lanes=LANES)
            seen.append(640 / seconds)
    ray_process.RayWorker = RayWorker  # type: ignore[misc]
    medians = {count: median(seen) for count, seen in rates.items()}
    return {f"{count} slots, trials/s": round(rate, 1) for count, rate in medians.items()} | {
        f"{count} slots, of linear": round(medians[count] / medians[2] / (count / 2), 3) for count in (4, 8)
    }


def machine(home: Path, times: int) -> dict[str, Any]:
    """Seconds from the end of a machine to the end of its cohort, and to its next epoch."""
    found: dict[str, list[float]] = {}
    for _ in range(times):
        for how, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP)):
            lost, again = one_machine(home, number)
            found.setdefault(f"{how}: lost", []).append(lost)
            found.setdefault(f"{how}: training again", []).append(again)
    return {what: round(median(seconds), 2) for what, seconds in found.items()}


def one_machine(home: Path, number: signal.Signals) -> tuple[float, float]:
    """The same for one that gets a signal."""
    # Closed to strangers, as every Ray here; a process reads this when it imports ray.
    os.environ.update(HEALTH | {"RAY_AUTH_TOKEN_PATH": str(token_file(home)), "RAY_AUTH_MODE": "token"})
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    nodes = [cluster.add_node(num_cpus=1, **SMALL) for _ in range(3)]
    doomed: list[psutil.Process] = []
    try:
        with started(RayPool(n_workers=None, address=cluster.address, device="cpu", home=home), 3) as pool:
            pool.put_data(KEY, make_data())
            for cohort in (1, 2):
                pool.submit(make_task([cohort], id=cohort, epochs=FOREVER))
            heard: set[int] = set()
            while heard != {1, 2}:
                heard |= {r.cohort for r in pool.poll(0.1) if isinstance(r, EpochResult)}
            pids = dict(zip((slot.task for slot in pool.slots()), pool.pids(), strict=True))
            raylet = psutil.Process(pids[1]).parent()
            assert raylet is not None
            doomed = [raylet, *raylet.children(recursive=True)]
            began = time.perf_counter()
            for process in doomed:
                process.send_signal(number)
            lost = ahead(pool, lambda r: isinstance(r, CohortFailed)) - began
            pool.submit(make_task([1], id=3, epochs=FOREVER))
            again = ahead(pool, lambda r: isinstance(r, EpochResult) and r.cohort == 3) - began
    finally:
        for process in doomed:
            if process.is_running():
                process.kill()
        for node in nodes:
            cluster.remove_node(node, allow_graceful=False)
        cluster.shutdown()
    return lost, again


def ahead(pool: Any, wanted: Callable[[Report], bool]) -> float:
    """When such a report has come."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if any(wanted(report) for report in pool.poll(0.05)):
            return time.perf_counter()
    raise SystemExit("it took too long")


PARTS = {"overhead": overhead, "slots": slots, "machine": machine}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    words = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="hpo-") as folder:
        home = Path(folder)
        for name in words.only:
            found[name] = PARTS[name](home, words.times)
            print(name, json.dumps(found[name], indent=1), flush=True)
    if words.save:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(known | found, indent=1) + "\n")


if __name__ == "__main__":
    main()
