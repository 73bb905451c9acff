"""Whether a population finds better networks than random search at the same number of epochs.

    python benchmarks/population.py [--seeds 10] [--trials 32] [--epochs 30] [--save]

Both begin with the same settings and weights, trial by trial, on the same split of a seed; a population may then change
them. A win is a smaller log_loss of the best trial on validation rows; beside it the one on test rows, which no search
sees. "again" is what was found, the setting or the schedule, trained once on another split of the same data: whether it
was more than luck. A setting keeps its best epoch there, a schedule ends where it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from hpo.coordinator.loop import Coordinator, Job
from hpo.service import datasets, specfile, submit
from hpo.service.replay import replayed
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.study import Study
from hpo.workers.base import WorkerPool
from hpo.workers.local_pool import LocalPool

RESULTS = Path(__file__).parent / "results" / "population.json"
DATA = ("digits", "breast_cancer")
STUDY = """
data: {source: SOURCE}
objective: {metric: log_loss}
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  l2: {low: 1e-6, high: 1e-2, log: true}
  dropout: {low: 0.0, high: 0.5}
  optimizer: [momentum, adam]
  hidden_units: 64
  hidden_layers: 1
"""
Row = dict[str, Any]
Found = dict[str, float]


def run(pool: WorkerPool, storage: Storage, text: str, changes: dict[str, Any]) -> tuple[Study, Found]:
    """A study on workers; losses of its best trial, epochs trained in all, seconds."""
    spec = specfile.parse(text, overrides=changes)
    draft = submit.Draft(spec=spec, folder=Path.cwd(), stem="population")
    data = datasets.prepared(
        spec, scalings=submit.scalings_of(spec), folder=draft.folder, storage=lambda: storage
    )
    study, complete = submit.create(storage, draft, data.info)
    began = time.perf_counter()
    ended = Coordinator(storage, pool).run(Job(name=study.name, spec=complete, data=data))
    seconds = time.perf_counter() - began
    [best] = storage.best_trials(study.name)
    if best.value is None or ended.test is None:
        raise RuntimeError(f"{study.name} has no best trial")
    return ended, {
        "validation": best.value,
        "test": float(ended.test["log_loss"]),
        "epochs": float(sum(trial.epochs for trial in storage.trials(study.name))),
        "seconds": seconds,
    }


def compared(pool: WorkerPool, source: str, seed: int, trials: int, epochs: int) -> dict[str, Found]:
    """A random search, a population, and both their best settings on another split."""
    storage = open_storage("memory://")
    text = STUDY.replace("SOURCE", source)
    size = {"seed": seed, "trials": trials, "epochs": epochs}
    _, random = run(pool, storage, text, size | {"name": "random"})
    _, population = run(pool, storage, text, size | {"name": "population", "pruner.name": "population"})
    elsewhere = {"data.split.seed": 1000 + seed}
    _, replay = run(
        pool, storage, json.dumps(replayed(storage, "population")), elsewhere | {"name": "replay"}
    )
    [best] = storage.best_trials("random")
    settings = {f"parameters.{name}": value for name, value in best.params.items()}
    _, alone = run(pool, storage, text, size | elsewhere | settings | {"trials": 1, "name": "alone"})
    return {"random": random, "population": population, "random again": alone, "schedule again": replay}


def rows(source: str, found: list[dict[str, Found]]) -> list[Row]:
    """The table of one data set: medians over seeds, and wins over random search."""
    rival = {"population": "random", "schedule again": "random again"}
    return [
        {
            "on": source,
            "search": name,
            "seeds": len(found),
            **{f"median_{key}": statistics.median(one[name][key] for one in found) for key in found[0][name]},
            **{
                f"wins_{key}": sum(one[name][key] < one[rival[name]][key] for one in found)
                for key in ("validation", "test")
                if name in rival
            },
        }
        for name in found[0]
    ]


def show(table: list[Row]) -> None:
    """The table, for people."""
    print(
        f"{'data':14} {'search':15} {'validation':>10} {'wins':>6} {'test':>8} {'wins':>6} {'epochs':>7} {'s':>6}"
    )
    for row in table:
        wins = [
            f"{row[f'wins_{k}']}/{row['seeds']}" if f"wins_{k}" in row else "" for k in ("validation", "test")
        ]
        print(
            f"{row['on']:14} {row['search']:15} {row['median_validation']:10.4f} {wins[0]:>6} "
            f"{row['median_test']:8.4f} {wins[1]:>6} {row['median_epochs']:7.0f} {row['median_seconds']:6.1f}"
        )


def main() -> None:
    """Run, print, and keep the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        pool = LocalPool(n_workers=1, device="cpu", scratch=Path(scratch))
        pool.start()
        try:
            for source in DATA:
                found = [
                    compared(pool, source, s, options.trials, options.epochs) for s in range(options.seeds)
                ]
                table += rows(source, found)
        finally:
            pool.close()
    show(table)
    if options.save:
        machine = {
            "cpus": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        }
        RESULTS.write_text(
            json.dumps({"options": vars(options), "machine": machine, "rows": table}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
