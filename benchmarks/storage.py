"""Trials a second into SQLite: a grid of 20,000 through hpo's storage, and Optuna's ask, report, tell beside it.

Run: python benchmarks/storage.py [--trials 20000] [--optuna 300] [--save]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from array import array
from pathlib import Path

import optuna
import psutil

from hpo.cohort import CohortPlan
from hpo.samplers.grid import GridSampler
from hpo.space import Choice, Range, SearchSpace
from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.study import Direction, Driver, NewStudy
from hpo.trial import Curve, TrialResult

WINDOW, COHORT, STEPS = 512, 32, 20
SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-4, high=1e-1, log=True, num=50, type="float"),
        "l2": Range(low=1e-6, high=1e-2, log=True, num=40, type="float"),
        "optimizer": Choice(choices=tuple(f"kind-{i}" for i in range(10))),
    }
)
KINDS = list(SPACE.searched["optimizer"].points())
COLUMNS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def value(number: int, step: int) -> float:
    """A made-up validation accuracy."""
    return 1.0 - 1.0 / (2 + step) - (number * 7919 % 1000) / 10_000


def result(number: int) -> TrialResult:
    """A trial that trained for 20 epochs."""
    block = array("f", [0.5] * (STEPS * len(COLUMNS)))
    return TrialResult(
        number=number,
        state=TrialState.COMPLETE,
        value=value(number, STEPS),
        best_epoch=STEPS,
        epochs=STEPS,
        curve=Curve(columns=COLUMNS, block=block),
        steps={step: value(number, step) for step in range(1, STEPS + 1)},
    )


def run_hpo(storage: Storage, n_trials: int) -> dict[str, float]:
    """Plan in windows, report half way, finish in cohorts; seconds, and memory grown since point 1,000."""
    process = psutil.Process()
    storage.create_study(
        NewStudy(
            name="grid",
            direction=Direction.MAXIMIZE,
            metric="accuracy",
            n_trials=n_trials,
            spec={"data": {"source": "digits"}},
            data={},
        )
    )
    driver = Driver(host=platform.node(), pid=os.getpid(), born=process.create_time(), token="benchmark")
    claim = storage.claim_study("grid", driver)
    memory, began = 0, time.perf_counter()
    sampler = GridSampler(SPACE)  # 50 * 40 * 10 = 20,000 points
    for first in range(0, n_trials, WINDOW):
        plans = sampler.ask(first, min(WINDOW, n_trials - first))
        numbers = [plan.number for plan in plans]
        cuts = [tuple(numbers[i : i + COHORT]) for i in range(0, len(numbers), COHORT)]
        cohorts = storage.plan_trials(claim, SPACE, plans, [CohortPlan(numbers=cut) for cut in cuts])
        for cohort in cohorts:
            started = storage.start_cohort(claim, cohort.id)
            half = {n: {s: value(n, s) for s in range(1, STEPS // 2 + 1)} for n in cohort.numbers}
            storage.record_epochs(claim, cohort.id, started.attempt, STEPS // 2, half)
            results = [result(n) for n in cohort.numbers]
            storage.finish_trials(claim, cohort.id, started.attempt, results, done=True)
        if not memory and first + WINDOW >= 1_000:
            memory = process.memory_info().rss
    seconds = time.perf_counter() - began
    grown = (process.memory_info().rss - memory) / 2**20
    done = storage.release(claim, StudyState.COMPLETED)
    if done.counts[TrialState.COMPLETE] != n_trials:
        raise RuntimeError(f"only {done.counts} of {n_trials} trials are there")
    return {"trials": n_trials, "seconds": seconds, "trials_per_s": n_trials / seconds, "grown_mib": grown}


def run_optuna(url: str, n_trials: int) -> dict[str, float]:
    """The same trials one by one, as `study.ask`, `trial.report` and `study.tell` write them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=url, study_name="grid", direction="maximize", sampler=sampler)
    began = time.perf_counter()
    for number in range(n_trials):
        trial = study.ask()
        trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        trial.suggest_float("l2", 1e-6, 1e-2, log=True)
        trial.suggest_categorical("optimizer", KINDS)
        for step in range(1, STEPS + 1):
            trial.report(value(number, step), step)
        study.tell(trial, value(number, STEPS))
    seconds = time.perf_counter() - began
    return {"trials": n_trials, "seconds": seconds, "trials_per_s": n_trials / seconds}


def main() -> None:
    """Measure both in turn and say by how much hpo is faster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--optuna", type=int, default=300)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/storage.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        theirs = run_optuna(f"sqlite:///{folder}/optuna.db", arguments.optuna)
        storage = open_storage(f"sqlite:///{folder}/hpo.db")
        ours = run_hpo(storage, arguments.trials)
        storage.close()
    ratio = ours["trials_per_s"] / theirs["trials_per_s"]
    print(f"hpo     {ours['trials_per_s']:8.0f} trials/s   {ours['trials']:6d} trials, 20 reports each")
    print(f"optuna  {theirs['trials_per_s']:8.1f} trials/s   {theirs['trials']:6d} trials, 20 reports each")
    print(f"ratio   {ratio:8.0f}   memory grown since point 1,000: {ours['grown_mib']:.1f} MiB")
    if arguments.save:
        results = Path(__file__).parent / "results"
        results.mkdir(exist_ok=True)
        record = {"hpo": ours, "optuna": theirs, "ratio": ratio, "cores": os.cpu_count()}
        (results / "storage.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
