"""Kill, freeze and restart the parts of a server at random while it runs studies; then judge what is left.

`python server_rounds.py --rounds 8 --database sqlite --home DIR`: each round is a server with a home and a database
of its own, four studies submitted over REST, and faults until all have ended. Prints a line a round; exit code 1 if
anything was wrong. Only SQLAlchemy and SQL judge: what is in the tables must be what `hpo run` makes undisturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
from sqlalchemy import create_engine, text

from hpo.testing.postgres import OwnServer, own_server

COMMON = """
name: NAME
data: {source: iris}
objective: {metric: log_loss}
epochs: 12
limits: {retries: 100}
"""
RANGES = """
trials: TRIALS
parameters:
  learning_rate: {low: 1e-4, high: 1e+3, log: true}
  dropout: {low: 0.0, high: 0.5}
  optimizer: [sgd, momentum, adam]
  hidden_units: [5, 23]
"""
STUDIES = {
    "random": COMMON + RANGES + "early_stopping: {patience: 4}\n",
    "tpe": COMMON + RANGES + "sampler: {name: tpe, batch: 16}\n",
    "halving": COMMON + RANGES + "pruner: {name: halving, min_epochs: 2, bracket: 16}\n",
    "grid": COMMON
    + "sampler: {name: grid}\nparameters:\n"
    + "  learning_rate: RATES\n  l2: [0.0, 0.001, 0.1]\n  activation: [relu, tanh, linear]\n  hidden_units: 7\n",
}
RESULTS = """
SELECT t.number, t.state, t.reason, t.value, t.stderr, t.best_epoch, t.epochs, t.params, t.sampled
FROM hpo_trials t JOIN studies s ON s.study_id = t.study_id WHERE s.study_name = :name ORDER BY t.number
"""
STUDY = """
SELECT h.state, h.reason, h.driver_token, h.test, h.n_trials, h.n_complete, h.n_fail, h.n_pruned, h.n_running
FROM hpo_studies h JOIN studies s ON s.study_id = h.study_id WHERE s.study_name = :name
"""
OPTUNA = """
SELECT t.number, t.state FROM trials t JOIN studies s ON s.study_id = t.study_id
WHERE s.study_name = :name ORDER BY t.number
"""
FAULTS = (
    "api",
    "coordinator",
    "worker",
    "workers",
    "supervisor",
    "freeze api",
    "freeze coordinator",
    "freeze worker",
    "restart",
    "database",
)
MARK = "HPO_CHAOS"
LEASE_S = 15.0
PATIENCE_S = 240.0


class Server:
    """`hpo serve` in a home of its own; started again as often as wanted, on the same port."""

    def __init__(self, home: Path, words: list[str], storage: str | None, postgres: OwnServer | None) -> None:
        home.mkdir(parents=True)
        self.home, self.words, self.postgres = home, words, postgres
        self.storage = storage or f"sqlite:///{home}/hpo.db"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/api/v1"
        self.environment = os.environ | {"HPO_HOME": str(home), MARK: str(home)}
        self.environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        for name in ("HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE", "HPO_STORAGE"):
            self.environment.pop(name, None)
        if storage is not None:
            self.environment["HPO_STORAGE"] = storage
        self.programs: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server, and beside it a second coordinator if the words say so."""
        self.programs = [self._program("--port", str(self.port), *self.words)]

    def start_second(self) -> None:
        """One more coordinator on the same database."""
        self.programs.append(self._program("--only", "coordinator", *self.words))

    def _program(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.home / "out.txt").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "hpo.cli.main", "serve", *words],
                env=self.environment,
                cwd=self.home,
                stdout=out,
                stderr=out,
            )

    def processes(self) -> list[psutil.Process]:
        """Every process that lives and was started by this server, however indirectly."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def parts(self, kind: str) -> list[psutil.Process]:
        """The processes of a kind: api, coordinator, worker, supervisor."""
        sign = {"api": "--only api", "coordinator": "--only coordinator"}
        found = []
        for process in self.processes():
            try:
                name, line = process.name(), " ".join(process.cmdline())
            except psutil.Error:
                continue
            if kind == "worker":
                found += [process] if name == "hpo-worker" or line.startswith("ray::") else []
            elif kind == "supervisor":
                found += [process] if process.pid == self.programs[0].pid else []
            elif sign[kind] in line:
                found.append(process)
        return found

    def gone(self, seconds: float = 15.0) -> list[str]:
        """What is still there a while after all should have ended."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [" ".join(process.cmdline()[:6]) for process in left if process.is_running()]

    def end(self) -> list[str]:
        """SIGTERM; what is wrong afterwards."""
        left = [program for program in self.programs if program.poll() is None]  # the others were killed
        for program in left:
            program.send_signal(signal.SIGTERM)
        wrong = []
        for program in left:
            try:
                if (code := program.wait(30)) not in (0, 143, -signal.SIGTERM):
                    wrong.append(f"it ends with {code}")
            except subprocess.TimeoutExpired:
                wrong.append("it does not end")
                program.kill()
        return wrong + [f"left behind: {line}" for line in self.gone()]

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        """A request, again and again while the server or its database is away."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = httpx.request(method, self.url + path, timeout=20, **more)  # type: ignore[arg-type]
                if answer.status_code != 503:
                    return answer
            except httpx.HTTPError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{method} {path}: {error}") from error
            time.sleep(0.2)


def disturb(server: Server, fault: str, dice: random.Random) -> list[str]:
    """One fault; what was wrong at once."""
    kind = fault.removeprefix("freeze ")
    if fault in ("supervisor", "restart"):
        wrong = []
        if fault == "supervisor":
            for program in server.programs:
                program.kill()
                program.wait()
            wrong = [f"orphan: {line}" for line in server.gone()]
        else:
            wrong = server.end()
        server.start()
        return wrong
    if fault == "database":
        if server.postgres is not None:
            server.postgres.stop()
            time.sleep(dice.uniform(0.0, 8.0))
            server.postgres.start()
        return []
    victims = server.parts("worker" if kind == "workers" else kind)
    if kind != "workers":
        victims = dice.sample(victims, min(1, len(victims)))
    for process in victims:
        try:
            process.send_signal(signal.SIGSTOP if fault != kind else signal.SIGKILL)
        except psutil.Error:
            continue
    if fault != kind:
        time.sleep(dice.choice((1.0, 4.0, LEASE_S + 3.0)))
        for process in victims:
            try:
                process.send_signal(signal.SIGCONT)
            except psutil.Error:
                continue
    return []


def rows(storage: str, query: str, name: str) -> list[tuple[object, ...]]:
    """What a database answers; `params` as objects."""
    engine = create_engine(storage)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query), {"name": name})]
    engine.dispose()
    return found


def judge(storage: str, reference: str, name: str) -> list[str]:
    """What is wrong with one study."""
    wrong = []
    study, whole = rows(storage, STUDY, name)[0], rows(reference, STUDY, name)[0]
    if study[0] != "COMPLETED" or study[2] is not None:
        wrong.append(f"{name} is {study[0]}, {study[1]}, driven by {study[2]}")
    if study[4:] != whole[4:]:
        wrong.append(f"{name}: counts {study[4:]}, undisturbed {whole[4:]}")
    if json.loads(str(study[3])) != json.loads(str(whole[3])):
        wrong.append(f"{name}: test score {study[3]}, undisturbed {whole[3]}")
    found, expected = rows(storage, RESULTS, name), rows(reference, RESULTS, name)
    numbers = [row[0] for row in found]
    if numbers != list(range(int(str(study[4])))):
        wrong.append(f"{name}: {len(numbers)} numbers, {len(set(numbers))} different, of {study[4]}")
    if found != expected:
        others = [row[:4] for row, other in zip(found, expected, strict=False) if row != other][:3]
        wrong.append(f"{name}: {len(found)} results, undisturbed {len(expected)}; {others}")
    if rows(storage, OPTUNA, name) != [(row[0], row[1]) for row in found]:
        wrong.append(f"{name}: Optuna's trials are not hpo's")
    if name == "grid" and len({str(row[7]) for row in found}) != len(found):
        wrong.append("grid: a point twice")
    return wrong


@contextmanager
def database(kind: str) -> Iterator[tuple[str | None, OwnServer | None]]:
    """The URL of a round's database, and its server."""
    if kind == "sqlite":
        yield None, None
        return
    with own_server() as server:
        yield server.url, server


def play(home: Path, words: argparse.Namespace, texts: dict[str, str], dice: random.Random) -> list[str]:
    """One round; what was wrong."""
    reference = f"sqlite:///{words.home}/whole/hpo.db"
    with ExitStack() as stack:
        storage, postgres = stack.enter_context(database(words.database))
        server = Server(home, ["--pool", words.pool, "--workers", "2"], storage, postgres)
        server.start()
        if words.two:
            server.start_second()
        wrong: list[str] = []
        try:
            for name, file in texts.items():
                headers = {"Content-Type": "application/yaml", "Idempotency-Key": name}
                answer = server.ask("POST", "/studies", content=file, headers=headers)
                if answer.status_code != 201:
                    wrong.append(f"submit {name}: {answer.status_code} {answer.text}")
            faults = 0
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline:
                listed = server.ask("GET", "/studies")
                states = {one["name"]: one["state"] for one in listed.json()["items"]}
                if not {"QUEUED", "RUNNING", "STOPPING"} & set(states.values()):
                    break
                if faults < words.faults:
                    time.sleep(dice.uniform(0.2, 3.0))
                    fault = dice.choice([f for f in words.kinds if f != "database" or postgres])
                    wrong += disturb(server, fault, dice)
                    print(f"  {time.strftime('%X')} {fault} {states}", flush=True)
                    faults += 1
                else:
                    time.sleep(0.3)
            else:
                wrong.append(f"not over: {states}")
            if any(row.status_code >= 500 for row in [server.ask("GET", f"/studies/{n}") for n in texts]):
                wrong.append("a 5xx at the end")
            wrong += [line for name in texts for line in judge(server.storage, reference, name)]
        except (TimeoutError, KeyError) as error:
            wrong.append(f"{type(error).__name__}: {error}")
        finally:
            wrong += server.end()
    log = (home / "out.txt").read_text()
    wrong += [f"log: {line}" for line in log.splitlines() if "Traceback" in line or " failed\n" in line][:3]
    return wrong


def main() -> int:
    """Play the rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="the first round's number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pool", choices=("local", "ray"), default="local")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kinds", nargs="*", default=list(FAULTS))
    parser.add_argument("--faults", type=int, default=8)
    parser.add_argument("--trials", type=int, default=160)
    parser.add_argument("--two", action="store_true", help="a second coordinator beside the server's")
    parser.add_argument("--home", type=Path, required=True)
    words = parser.parse_args()
    rates = str([round(0.001 * 1.5**i, 6) for i in range(words.trials // 9)])
    texts = {
        name: file.replace("NAME", name).replace("TRIALS", str(words.trials)).replace("RATES", rates)
        for name, file in STUDIES.items()
    }
    whole = words.home / "whole"
    if not (whole / "hpo.db").exists():
        whole.mkdir(parents=True)
        environment = os.environ | {"HPO_HOME": str(whole), "PYTHONPATH": str(Path(__file__).parents[2])}
        for name, file in texts.items():
            (whole / f"{name}.yaml").write_text(file)
            began = time.monotonic()
            command = [sys.executable, "-m", "hpo.cli.main", "run", f"{name}.yaml", "--pool", "local"]
            subprocess.run([*command, "--workers", "2", "--quiet"], env=environment, cwd=whole, check=True)
            print(f"undisturbed {name}: {time.monotonic() - began:.1f} s", flush=True)
    n_wrong = 0
    for n in range(words.first, words.first + words.rounds):
        dice = random.Random(f"{words.seed} {n}")
        wrong = play(words.home / f"round-{words.database}-{words.pool}-{n}", words, texts, dice)
        n_wrong += bool(wrong)
        print(f"round {n} on {words.database}, {words.pool}: {wrong or 'ok'}", flush=True)
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
