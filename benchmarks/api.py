"""The API under load: a page of 100 trials, a study, a submission, an event, the Optuna dashboard beside it.

    python benchmarks/api.py [--databases sqlite postgres] [--trials 100000] [--seconds 5] [--save]

A real server, `hpo.server.api` in a process of its own, over a SQLite file and over PostgreSQL (a server of the
benchmark's own, from the machine's binaries). Clients are processes that keep one connection each and do not
read the JSON: one for times of single requests, one per core for requests a second.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api_data import FILE, begin, fill, plan, result

from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.testing.postgres import postgres_server

RESULTS = Path(__file__).parent / "results" / "api.json"
N_CORES = os.cpu_count() or 1
SMALL, LARGE, SHOWN, FOLLOWED = "small", "large", "shown", "followed"
N_SMALL, N_SHOWN = 1_000, 10_000
PAGES = {
    "by number": "",
    "by value, largest first": "sort=-value",
    "by finished_at, last first": "sort=-finished_at",
    "where value >= 0.5 and optimizer": f"where={quote('value >= 0.5 and params.optimizer = adam')}",
    "by params.learning_rate": "sort=params.learning_rate",
}


# Server and clients


@contextmanager
def served(url: str, part: str = "api") -> Iterator[int]:
    """A part of a server in a process of its own; its port."""
    command = [sys.executable, __file__, "--part", part, "--url", url]
    environment = os.environ | {"HPO_RATE_LIMIT": "1000000", "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        _until_answered(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _until_answered(port: int) -> None:
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not answer within 30 s")


def run_part(part: str, url: str) -> None:
    """Be one part of a server, on a free port that is printed."""
    from hpo.server import sockets

    listening = sockets.listen("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    if part == "dashboard":
        from hpo.server.dashboard import run_dashboard

        run_dashboard(url, listening, ready=_nothing, idle_s=None)
        return
    from hpo.api.site import Site
    from hpo.server.api import run_api
    from hpo.settings import read_settings

    run_api(Site(settings=read_settings(), storage=open_storage(url)), listening, ready=_nothing)


def _nothing() -> None:
    """Who waits for a part asks it until it answers."""


class Client:
    """One connection that is kept, and as little else as can be: clients and server share the cores."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def ask(self, path: str, *, method: str = "GET", body: str = "") -> bytes:
        """The body of an answer."""
        sent = body.encode()
        said = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n" if sent else ""
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{said}\r\n".encode() + sent)
        status, length = int(self._answers.readline().split()[1]), 0
        while (line := self._answers.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = int(value)
        found = self._answers.read(length)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {found[:300]!r}")
        return found


def fetched(port: int, path: str) -> Any:
    """What the Optuna dashboard answers: it keeps no connection, and gives way to everything else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def p95(times: list[float]) -> float:
    """In milliseconds."""
    return sorted(times)[int(len(times) * 0.95)] * 1e3


def timed(call: Callable[[], object], seconds: float, *, least: int = 20) -> list[float]:
    """Seconds of each call, made one after the other, after three that are not counted."""
    for _ in range(3):
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < least:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


# What is measured


def pages(port: int, seconds: float) -> dict[str, dict[str, float]]:
    """A page of 100 from the large study and the small one in turn, the first and one from far in: p95, ratio."""
    client, found = Client(port), {}
    for label, query in PAGES.items():
        base = {name: f"/api/v1/studies/{name}/trials?limit=100&{query}" for name in (SMALL, LARGE)}
        deep = json.loads(client.ask(base[LARGE].replace("limit=100", "limit=500")))["next_cursor"]
        small: list[float] = []
        large: list[float] = []
        for _ in range(3):  # in turn, so that a busy machine slows both
            small += timed(partial(client.ask, base[SMALL]), seconds / 9)
            large += timed(partial(client.ask, base[LARGE]), seconds / 9)
        behind = timed(partial(client.ask, f"{base[LARGE]}&cursor={deep}"), seconds / 3)
        found[label] = {
            "small_p95_ms": p95(small),
            "large_p95_ms": p95(large),
            "deep_p95_ms": p95(behind),
            "ratio": p95(large) / p95(small),
            "median_ratio": sorted(large)[len(large) // 2] / sorted(small)[len(small) // 2],
        }
    return found


def _hammer(port: int, paths: list[str], seconds: float, done: Any) -> None:
    client = Client(port)
    for path in paths:
        client.ask(path)
    n, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        client.ask(paths[n % len(paths)])
        n += 1
    done.put(n / seconds)


def throughput(ports: list[int], seconds: float) -> dict[str, float]:
    """Requests a second with one client per core, dealt out to the API processes at these ports."""
    study = f"/api/v1/studies/{LARGE}"
    page, best = f"{study}/trials?limit=100", f"{study}/trials?limit=100&sort=-value"
    found = {}
    for label, paths in (
        ("study", [study]),
        ("page of 100", [page]),
        ("page of the best 100", [best]),
        ("study and page in turn", [study, page]),
    ):
        done: Any = multiprocessing.Queue()
        clients = [
            multiprocessing.Process(target=_hammer, args=(ports[n % len(ports)], paths, seconds, done))
            for n in range(N_CORES)
        ]
        for process in clients:
            process.start()
        found[label] = sum(done.get(timeout=seconds + 60) for _ in clients)
        for process in clients:
            process.join()
    return found


def throughput_of_several(url: str, seconds: float) -> dict[str, float]:
    """The same with one API process per core beside one another, as `hpo serve --only api` starts them."""
    with ExitStack() as servers:
        return throughput([servers.enter_context(served(url)) for _ in range(N_CORES)], seconds)


def submissions(port: int, seconds: float) -> float:
    """p95 of submitting a study on data that the server has seen before, in ms."""
    client, numbers = Client(port), iter(range(10**9))

    def one() -> None:
        body = json.dumps(FILE | {"name": f"submitted-{next(numbers)}", "trials": 50})
        client.ask("/api/v1/studies", method="POST", body=body)

    return p95(timed(one, seconds))


def events(port: int, storage: Storage, turns: int = 20) -> float:
    """The longest time from a finished trial in the database to its event at a follower, in ms."""
    rng = random.Random(1)
    claim, space = begin(storage, FOLLOWED, turns)
    cohort = plan(storage, claim, space, 0, turns, rng)
    came: dict[int, float] = {}
    connected = threading.Event()

    def follow() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/api/v1/studies/{FOLLOWED}/events")
        answer = connection.getresponse()
        kind = b""
        while len(came) < turns:
            line = answer.readline()
            connected.set()
            if line.startswith(b"event:"):
                kind = line.partition(b":")[2].strip()
            if line.startswith(b"data:") and kind == b"trial":
                now, said = time.perf_counter(), json.loads(line.partition(b":")[2])
                came.update({trial["number"]: now for trial in said["items"]})

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    connected.wait(30)
    written = {}
    for number in range(turns):
        storage.finish_trials(claim, cohort.id, cohort.attempt, [result(number, rng)])
        written[number] = time.perf_counter()
        time.sleep(0.25 + rng.random() / 2)
    follower.join(30)
    return max(came[number] - written[number] for number in written) * 1e3


def beside_dashboard(port: int, url: str, seconds: float) -> dict[str, float]:
    """p95 of the API while the Optuna dashboard opens a study of 10,000 trials for the first time, in ms."""
    times: list[float] = []
    with served(url, "dashboard") as dashboard:
        studies = fetched(dashboard, "/api/studies")["study_summaries"]
        names = {study["study_name"]: study["study_id"] for study in studies}
        client = Client(port)  # only now: who says nothing for long is cut off
        opened: list[float] = []

        def open_study() -> None:
            began = time.perf_counter()
            fetched(dashboard, f"/api/studies/{names[SHOWN]}?after=0")
            opened.append(time.perf_counter() - began)

        visitor = threading.Thread(target=open_study)
        visitor.start()
        end = time.perf_counter() + seconds
        while visitor.is_alive() or time.perf_counter() < end:
            for path in (f"/api/v1/studies/{SHOWN}", f"/api/v1/studies/{SHOWN}/trials?limit=100"):
                began = time.perf_counter()
                client.ask(path)
                times.append(time.perf_counter() - began)
    return {"api_p95_ms": p95(times), "opened_in_s": opened[0]}


def measured(url: str, n_trials: int, seconds: float) -> dict[str, Any]:
    """Everything over one database."""
    storage = open_storage(url)
    began = time.perf_counter()
    for name, n in ((SMALL, N_SMALL), (SHOWN, N_SHOWN), (LARGE, n_trials)):
        fill(storage, name, n)
    print(f"  filled in {time.perf_counter() - began:.0f} s", flush=True)
    found: dict[str, Any] = {}
    with served(url) as port:
        for key, measure in (
            ("pages", lambda: pages(port, seconds)),
            ("requests_per_s", lambda: throughput([port], seconds)),
            ("requests_per_s_of_several", lambda: throughput_of_several(url, seconds)),
            ("submit_p95_ms", lambda: submissions(port, seconds)),
            ("event_longest_ms", lambda: events(port, storage)),
            ("beside_dashboard", lambda: beside_dashboard(port, url, seconds)),
        ):
            found[key] = measure()
            print(f"  {key}: {json.dumps(found[key])}", flush=True)
    storage.close()
    return found


def table(found: dict[str, Any]) -> None:
    """Print it, with what is wanted."""
    print(f"  {'a page of 100, p95 in ms':36} {'1,000':>8} {'large':>8} {'far in':>8} {'ratio':>6}")
    for label, row in found["pages"].items():
        print(
            f"  {label:36} {row['small_p95_ms']:8.1f} {row['large_p95_ms']:8.1f} {row['deep_p95_ms']:8.1f} "
            f"{row['ratio']:6.2f}"
        )
    several = found["requests_per_s_of_several"]
    print(f"  {'requests/s, one client per core':36} {'one API':>8} {N_CORES:2} APIs   (500 wanted)")
    for label, rate in found["requests_per_s"].items():
        print(f"  {label:36} {rate:8.0f} {several[label]:7.0f}")
    print(f"  submit on known data, p95            {found['submit_p95_ms']:8.1f} ms (< 50)")
    print(f"  event at a follower, longest         {found['event_longest_ms']:8.0f} ms (< 1,000)")
    beside = found["beside_dashboard"]
    print(
        f"  beside the dashboard, p95            {beside['api_p95_ms']:8.1f} ms (< 200; "
        f"opened in {beside['opened_in_s']:.1f} s)"
    )


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/api.json")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        run_part(arguments.part, arguments.url)
        return
    record: dict[str, Any] = {"cores": N_CORES, "trials": arguments.trials}
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        urls = {"sqlite": f"sqlite:///{folder}/hpo.db", "postgres": postgres}
        for name in arguments.databases:
            if urls[name] is None:
                print(f"{name}: this machine has no server of it")
                continue
            print(f"{name}", flush=True)
            load = os.getloadavg()[0]  # of others: with much of it no figure says anything
            record[name] = {"load": load} | measured(urls[name], arguments.trials, arguments.seconds)
            table(record[name])
    if arguments.save:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
