"""What a trial costs beside its training, and whether it costs more as a study grows.

A grid of 20,000 points and 100,000 random trials go through the whole of hpo into SQLite: asked, planned, cut into
cohorts, started, finished, told; only the training is faked. The last thousand trials may cost at most 1.2 times what
the first thousand cost, in seconds of this process, which other work on the machine disturbs less than the clock's; the
clock's are given too. Beside it, in the same run, Optuna's RandomSampler and GridSampler, asked and told in memory.

Run: python benchmarks/search.py [--random 100000] [--grid 20000] [--save]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna

from hpo.cohort import CohortDone, CohortTask, EpochResult, Report, ScoreDone, Task
from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.dataset import TrainingData
from hpo.space import Choice, Range, SearchSpace
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.study import StudySpec
from hpo.testing.small_jobs import create, data_of, spec_of
from hpo.trial import Curve, TrialResult
from hpo.workers.base import Slot

EPOCHS = 20
COLUMNS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
RATE = Range(low=1e-4, high=1e-1, log=True, num=50, type="float")
L2 = Range(low=1e-6, high=1e-2, log=True, num=40, type="float")
SPACE = SearchSpace(
    {"learning_rate": RATE, "l2": L2, "dropout": Choice(choices=tuple(i / 20 for i in range(10)))}
)
THOUSAND = 1_000
MOST = 1.2


Mark = tuple[float, float]  # seconds of this process, and by the clock


def mark() -> Mark:
    """This moment."""
    return time.process_time(), time.perf_counter()


@dataclass(slots=True)
class FakePool:
    """A pool of two slots whose cohorts are done at the next poll; it notes when each thousand of trials was."""

    marks: list[Mark] = field(default_factory=list)
    waiting: list[Task] = field(default_factory=list)
    n_done: int = 0

    def start(self) -> None:
        """Note the beginning."""
        self.marks.append(mark())

    def slots(self) -> Sequence[Slot]:
        """Two, the first ones busy."""
        tasks = [task.id for task in self.waiting]
        return [
            Slot(id=str(i), device="cpu", memory_bytes=2**30, task=tasks[i] if i < len(tasks) else None)
            for i in range(2)
        ]

    def put_data(self, key: str, data: TrainingData) -> None:
        """Nobody looks at it."""

    def drop_data(self, key: str) -> None:
        """There are none."""

    def room(self) -> int:
        """Two, less what waits."""
        return 2 - len(self.waiting)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self.waiting.append(task)

    def poll(self, timeout_s: float) -> list[Report]:
        """Everything that was taken is done."""
        tasks, self.waiting = self.waiting, []
        reports: list[Report] = []
        for task in tasks:
            if isinstance(task, CohortTask):
                reports += done(task)
                self.n_done += len(task.numbers)
                while self.n_done >= THOUSAND * len(self.marks):
                    self.marks.append(mark())
            else:
                reports.append(ScoreDone(id=task.id, scores=dict.fromkeys(task.metrics, 0.5)))
        return reports

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Nobody waits for it."""

    def cancel(self, cohort: int) -> None:
        """It is done already."""

    def close(self) -> None:
        """There is nothing to close."""


def done(task: CohortTask) -> list[Report]:
    """The reports of a cohort whose trials trained for 20 epochs each."""
    block = array("f", [0.5] * (EPOCHS * len(COLUMNS)))
    values = [1.0 - (number * 7919 % 1000) / 10_000 for number in task.numbers]
    ended = tuple(
        TrialResult(
            number=number,
            state=TrialState.COMPLETE,
            value=value,
            best_epoch=EPOCHS,
            epochs=EPOCHS,
            curve=Curve(columns=COLUMNS, block=block),
            steps=dict.fromkeys(range(1, EPOCHS + 1), value),
        )
        for number, value in zip(task.numbers, values, strict=True)
    )
    best = min(range(len(values)), key=values.__getitem__)
    last = EpochResult(
        cohort=task.id,
        attempt=task.attempt,
        epoch=EPOCHS,
        numbers=task.numbers,
        values=tuple(values),
        best_values=tuple(values),
        ended=ended,
    )
    over = CohortDone(
        cohort=task.id,
        attempt=task.attempt,
        best_number=task.numbers[best],
        best_value=values[best],
        model=b"model" if task.beat is None or values[best] < task.beat else None,
        train_seconds=0.0,
        lane_steps=0,
    )
    return [last, over]


def run_hpo(folder: Path, spec: StudySpec) -> dict[str, float]:
    """A study from its beginning to its end; microseconds a trial, first thousand and last."""
    storage = open_storage(f"sqlite:///{folder}/{spec.sampler.name}.db")
    create(storage, spec)
    pool = FakePool()
    pool.start()
    began = time.perf_counter()
    study = Coordinator(storage, pool, options=Options(poll_s=0.0)).run(
        Job(name="small", spec=spec, data=data_of())
    )
    seconds = time.perf_counter() - began
    storage.close()
    if study.state is not StudyState.COMPLETED or study.counts[TrialState.COMPLETE] != spec.trials:
        raise RuntimeError(f"the study is {study.state} with {study.counts}")
    return of_marks(pool.marks, seconds)


def of_marks(marks: Sequence[Mark], seconds: float, block: int = THOUSAND) -> dict[str, float]:
    """What a trial costs in the first and the last blocks of so many.

    Of each end five blocks are looked at and their median is taken: on a shared machine one alone says little.
    """
    ends = {}
    for place, kind in enumerate(("", "_by_clock")):
        costs = [(b[place] - a[place]) * 1e6 / block for a, b in pairwise(marks)]
        ends |= {
            f"first_us{kind}": statistics.median(costs[:5]),
            f"last_us{kind}": statistics.median(costs[-5:]),
        }
    n_trials = block * (len(marks) - 1)
    return {"trials": n_trials, "seconds": seconds, **ends, "ratio": ends["last_us"] / ends["first_us"]}


def run_optuna(sampler: optuna.samplers.BaseSampler, n_trials: int, block: int) -> dict[str, float]:
    """Such trials by ask and tell on a study in memory, where nothing is stored."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler)
    study.stop = lambda: None  # type: ignore[method-assign]  # a grid wants to stop a loop that is not there
    began = time.perf_counter()
    marks = [mark()]
    for number in range(n_trials):
        trial = study.ask()
        trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        trial.suggest_float("l2", 1e-6, 1e-2, log=True)
        trial.suggest_categorical("dropout", SPACE.searched["dropout"].points())
        study.tell(trial, 1.0 - (number * 7919 % 1000) / 10_000)
        if (number + 1) % block == 0:
            marks.append(mark())
    return of_marks(marks, time.perf_counter() - began, block)


def optunas_grid(n_points: int) -> optuna.samplers.BaseSampler:
    """A smaller grid as Optuna walks it: of 20,000 points each tell would take seconds."""
    axes: dict[str, Any] = {name: list(axis.points()) for name, axis in SPACE.searched.items()}
    axes["learning_rate"] = axes["learning_rate"][: n_points // 100]
    axes["l2"] = axes["l2"][:10]
    return optuna.samplers.GridSampler(axes, seed=0)


def main() -> None:
    """Measure all, print a line each, and say whether the last thousand trials cost too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=100_000)
    parser.add_argument("--grid", type=int, default=20_000)
    parser.add_argument("--optuna-random", type=int, default=10_000)
    parser.add_argument("--optuna-grid", type=int, default=1_000, help="points, by the hundred")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/search.json")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs: dict[str, Callable[[], dict[str, float]]] = {
            "hpo grid": lambda: run_hpo(
                folder, spec_of(trials=words.grid, epochs=EPOCHS, space=SPACE, sampler="grid")
            ),
            "hpo random": lambda: run_hpo(folder, spec_of(trials=words.random, epochs=EPOCHS, space=SPACE)),
            "optuna random": lambda: run_optuna(
                optuna.samplers.RandomSampler(seed=0), words.optuna_random, THOUSAND
            ),
            "optuna grid": lambda: run_optuna(optunas_grid(words.optuna_grid), words.optuna_grid, 100),
        }
        found = {what: measure() for what, measure in runs.items()}
    for what, row in found.items():
        print(
            f"{what:14} {row['trials']:7d} trials in {row['seconds']:6.1f} s; a trial of the first "
            f"{row['first_us']:8.0f} us, of the last {row['last_us']:8.0f} us, ratio {row['ratio']:.2f}"
        )
    if words.save:
        results = Path(__file__).parent / "results" / "search.json"
        results.write_text(json.dumps(found | {"cores": os.cpu_count()}, indent=2) + "\n")
    slow = [what for what, row in found.items() if what.startswith("hpo") and row["ratio"] > MOST]
    if slow:
        raise SystemExit(f"the last thousand trials cost more than {MOST} times the first: {', '.join(slow)}")


if __name__ == "__main__":
    main()
