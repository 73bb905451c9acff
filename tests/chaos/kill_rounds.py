"""Kill parts of running searches at random moments, resume them, and let the checker judge what is left.

`python kill_rounds.py --rounds 30 --pool local --home DIR`: each round is a search with a home of its own,
killed once to three times. Prints a line a round; exit code 1 if anything was wrong.
The long form of a grid of 2,000 points: `--only grid --trials 800 --kills 12 --rounds 20`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import checker
import psutil

RANDOM = """
name: broken
data: {source: iris}
objective: {metric: log_loss}
trials: TRIALS
epochs: 12
parameters:
  learning_rate: {low: 1e-4, high: 1e+3, log: true}
  dropout: {low: 0.0, high: 0.5}
  optimizer: [sgd, momentum, adam]
  hidden_units: [5, 23]
early_stopping: {patience: 4}
enqueue: [{learning_rate: 1e-2, optimizer: sgd}, {dropout: 0.25}]
"""
GRID = """
name: broken
data: {source: iris}
objective: {metric: log_loss}
sampler: {name: grid}
epochs: 3
parameters:
  learning_rate: RATES
  l2: [0.0, 0.0001, 0.001, 0.01, 0.1]
  activation: [relu, tanh, sigmoid, elu, linear]
  hidden_units: 7
enqueue: [{l2: 0.1, activation: relu}]
"""
VICTIMS = {
    "local": ("coordinator", "worker", "workers", "coordinator and worker"),
    "ray": ("coordinator", "worker", "raylet", "gcs_server"),
}
MARK = "HPO_CHAOS"
LANES = "7"
PATIENCE_S = 120.0
ORPHANS_S = 10.0


class Search:
    """One search in a home of its own. mark: in the environment of every process that belongs to it."""

    def __init__(self, home: Path, text: str, pool: str) -> None:
        self.home, self.pool = home, pool
        home.mkdir(parents=True)
        (home / "study.yaml").write_text(text)
        self.database = home / "hpo.db"
        self.mark = str(home)
        checkout = str(Path(__file__).parents[2])
        self.environment = os.environ | {"HPO_HOME": str(home), "PYTHONPATH": checkout, MARK: self.mark}
        for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE"):
            self.environment.pop(name, None)

    def start(self) -> subprocess.Popen[bytes]:
        """`hpo run`, or `hpo resume` once the study is in the database."""
        verb = ["resume", "broken"] if self.state() else ["run", "study.yaml"]
        words = [*verb, "--pool", self.pool, "--workers", "2", "--cohort-lanes", LANES]
        with (self.home / "out.txt").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "hpo.cli.main", *words],
                env=self.environment,
                cwd=self.home,
                stdout=out,
                stderr=out,
            )

    def state(self) -> str | None:
        """The study's state; None before it is in the database."""
        if not self.database.exists():
            return None
        with checker.connect(self.database) as db:
            try:
                found = db.execute("SELECT state FROM hpo_studies").fetchone()
            except sqlite3.OperationalError:  # killed before the tables were made
                return None
        return None if found is None else str(found["state"])

    def processes(self) -> list[psutil.Process]:
        """Every process that lives and was started by this search, however indirectly."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def orphans(self) -> list[str]:
        """The processes that are still there after a while."""
        deadline = time.monotonic() + ORPHANS_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [" ".join(process.cmdline()[:3]) for process in left if process.is_running()]


def is_worker(process: psutil.Process) -> bool:
    """Whether it trains: a child of the local pool, or an actor of Ray."""
    return process.name() == "hpo-worker" or " ".join(process.cmdline()).startswith("ray::")


def victims(search: Search, program: psutil.Process, kind: str, dice: random.Random) -> list[psutil.Process]:
    """The processes that the word means, of those that live now."""
    others = [process for process in search.processes() if process.pid != program.pid]
    try:
        workers = [process for process in others if is_worker(process)]
        named = [process for process in others if process.name() == kind]
    except psutil.Error:
        return []
    if kind == "coordinator":
        return [program]
    if kind == "workers":
        return workers
    some = dice.sample(workers, min(1, len(workers)))
    if kind == "worker":
        return some
    return [program, *some] if kind == "coordinator and worker" else named


def wait_for_a_moment(
    search: Search, program: subprocess.Popen[bytes], seconds: float, dice: random.Random
) -> bool:
    """Until any moment of a run, or any after new trials have finished; whether it still runs then."""
    after_s = dice.uniform(0.3, seconds)
    if dice.random() < 0.7:
        before = len(checker.finished(search.database, "broken"))
        while program.poll() is None and len(checker.finished(search.database, "broken")) == before:
            time.sleep(0.02)
        after_s = dice.uniform(0.0, 0.8)
    try:
        program.wait(after_s)
    except subprocess.TimeoutExpired:
        return True
    return False


def disturb(
    search: Search, kinds: tuple[str, ...], seconds: float, dice: random.Random, most_kills: int
) -> list[str]:
    """Run and kill until it has been killed often enough or is done; then run to the end. What was wrong."""
    wrong: list[str] = []
    n_kills = dice.randint(1, most_kills)
    for kill in range(n_kills + 1):
        before = checker.finished(search.database, "broken")
        program = search.start()
        if kill < n_kills:
            kind = dice.choice(kinds)
            if wait_for_a_moment(search, program, seconds, dice):
                doomed = victims(search, psutil.Process(program.pid), kind, dice)
                for process in doomed:
                    process.send_signal(signal.SIGKILL)
                done = len(checker.finished(search.database, "broken"))
                print(f"  {kind} {[process.pid for process in doomed]}, {done} trials done", flush=True)
        try:
            code = program.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            program.kill()
            wrong.append(f"it hangs after {kind}")
            code = program.wait()
        if orphans := search.orphans():
            wrong.append(f"processes are left: {orphans}")
        after = checker.finished(search.database, "broken")
        if not before.items() <= after.items():
            wrong.append("finished trials have changed")
        if code == 0 or search.state() == "COMPLETED":  # killed just after the last write
            break
        code = None
    return wrong if code is not None else [*wrong, "it does not come to its end"]


def main() -> int:
    """Play the rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pool", choices=sorted(VICTIMS), default="local")
    parser.add_argument("--kinds", nargs="*", default=None)
    parser.add_argument("--trials", type=int, default=200, help="a grid has 2.5 times as many")
    parser.add_argument("--only", choices=("random", "grid"), default=None)
    parser.add_argument("--kills", type=int, default=3, help="at most so many in a round")
    parser.add_argument("--home", type=Path, required=True)
    words = parser.parse_args()
    rates = [round(0.001 * 1.3**i, 6) for i in range(words.trials // 10)]
    studies = {
        "random": RANDOM.replace("TRIALS", str(words.trials)),
        "grid": GRID.replace("RATES", str(rates)),
    }
    texts = [text for name, text in studies.items() if words.only in (None, name)]
    references, seconds = [], []
    for i, text in enumerate(texts[: words.rounds]):
        search = Search(words.home / f"whole-{i}", text, "local")
        began = time.monotonic()
        if search.start().wait(PATIENCE_S) != 0:
            print((search.home / "out.txt").read_text())
            return 1
        seconds.append(time.monotonic() - began + (4.0 if words.pool == "ray" else 0.0))
        references.append(search.database)
    print(f"undisturbed: {seconds}", flush=True)
    n_wrong = 0
    for n in range(words.rounds):
        dice = random.Random(f"{words.seed} {n}")
        which = n % len(references)
        search = Search(words.home / f"round-{n}", texts[which], words.pool)
        kinds = tuple(words.kinds) if words.kinds else VICTIMS[words.pool]
        wrong = disturb(search, kinds, seconds[which], dice, words.kills)
        wrong += checker.check(search.database, "broken")
        wrong += checker.compare(search.database, references[which], "broken")
        n_wrong += bool(wrong)
        print(f"round {n}: {wrong or 'ok'}", flush=True)
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
