"""Which samplers find better trials than random search, at the same number of trials.

    python benchmarks/search_quality.py [--samplers coarse_to_fine tpe gp] [--seeds 20] [--data-seeds 5]
        [--trials 100] [--data-trials 60] [--save]

First on smooth made-up surfaces whose best point is known (hpo/testing/surfaces.py), a surface for each seed;
then on digits and breast_cancer, trained by the coordinator's own machinery with two workers, all samplers
on the same split of a seed. A win is a smaller loss of the best trial than random search has; log_loss on
validation rows, and beside it on test rows, which no sampler sees. tpe and gp are asked in batches of 8.
"""

from __future__ import annotations

import argparse
import json
import os

# Before numpy and torch are imported: gp's matrices are small, and threads only wait for one another.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo.coordinator.loop import Coordinator, Job
from hpo.samplers.base import Sampler
from hpo.samplers.registry import make_sampler
from hpo.samplers.rounds import Rounds
from hpo.service import datasets, specfile, submit
from hpo.storage.open import open_storage
from hpo.study import SamplerSpec, StudySpec
from hpo.testing.surfaces import EPOCHS, SPACE, best_found, surface_of
from hpo.workers.base import WorkerPool
from hpo.workers.local_pool import LocalPool

RESULTS = Path(__file__).parent / "results" / "search_quality.json"
LEARN = ("coarse_to_fine", "tpe", "gp")
DATA = ("digits", "breast_cancer")
ASKED_IN_BATCHES = ("tpe", "gp")
BATCH = 8  # the default of 32 leaves 64 trials of so few without a word of any result
RANDOM_SEED = 1000  # random search draws other numbers than the sampler it is compared with
STUDY = """
data: {source: SOURCE}
objective: {metric: log_loss}
epochs: EPOCHS
parameters:
  learning_rate: {low: 1e-5, high: 1.0, log: true}
  l2: {low: 1e-7, high: 1e-1, log: true}
  dropout: {low: 0.0, high: 0.7}
  hidden_units: {low: 8, high: 128, log: true}
  hidden_layers: 1
  optimizer: [sgd, momentum, adam]
"""
Row = dict[str, Any]


def sampler_of(name: str, seed: int, trials: int) -> Sampler:
    """A sampler of the surfaces' space."""
    wanted = SamplerSpec(name=name, seed=seed, batch=BATCH if name in ASKED_IN_BATCHES else None)
    return make_sampler(StudySpec(parameters=SPACE, trials=trials, epochs=EPOCHS, sampler=wanted))


def on_surfaces(samplers: Sequence[str], seeds: int, trials: int) -> Iterator[Row]:
    """Wins of each sampler over random search, a surface for each seed."""
    rival = [
        best_found(sampler_of("random", RANDOM_SEED + s, trials), surface_of(s), trials) for s in range(seeds)
    ]
    for name in samplers:
        began = time.perf_counter()
        found = [best_found(sampler_of(name, s, trials), surface_of(s), trials) for s in range(seeds)]
        yield {
            "on": "surfaces",
            "sampler": name,
            "trials": trials,
            "seeds": seeds,
            "wins": sum(a < b for a, b in zip(found, rival, strict=True)),
            "median_loss": statistics.median(found),
            "random_median_loss": statistics.median(rival),
            "seconds_per_search": (time.perf_counter() - began) / seeds,
        }


@contextmanager
def workers() -> Iterator[WorkerPool]:
    """Two workers for all studies."""
    with tempfile.TemporaryDirectory() as scratch:
        pool = LocalPool(n_workers=2, device="cpu", scratch=Path(scratch))
        pool.start()
        try:
            yield pool
        finally:
            pool.close()


def searched(pool: WorkerPool, source: str, sampler: str, seed: int, trials: int) -> dict[str, float]:
    """Losses of the best trial of a study, epochs trained in all, and seconds."""
    text = STUDY.replace("SOURCE", source).replace("EPOCHS", str(EPOCHS))
    overrides: dict[str, Any] = {
        "sampler.name": sampler,
        "seed": seed,
        "trials": trials,
        "name": f"{source}-{sampler}-{seed}-{trials}",
    }
    if sampler in ASKED_IN_BATCHES:
        overrides["sampler.batch"] = BATCH
    draft = submit.Draft(spec=specfile.parse(text, overrides=overrides), folder=Path.cwd(), stem=source)
    storage = open_storage("memory://")
    data = datasets.prepared(
        draft.spec,
        scalings=submit.scalings_of(draft.spec),
        folder=draft.folder,
        storage=lambda: storage,
    )
    study, spec = submit.create(storage, draft, data.info)
    began = time.perf_counter()
    ended = Coordinator(storage, pool).run(Job(name=study.name, spec=spec, data=data))
    seconds = time.perf_counter() - began
    [best] = storage.best_trials(study.name)
    if best.value is None or ended.test is None:
        raise RuntimeError(f"{study.name} has no best trial")
    return {
        "validation": best.value,
        "test": float(ended.test["log_loss"]),
        "epochs": float(sum(trial.epochs for trial in storage.trials(study.name))),
        "seconds": seconds,
    }


def on_data(samplers: Sequence[str], seeds: int, trials: int) -> Iterator[Row]:
    """Wins of each sampler over random search on real data."""
    with workers() as pool:
        for source in DATA:
            rival = [searched(pool, source, "random", s, trials) for s in range(seeds)]
            for name, n in (("random", trials), *contests(samplers, trials)):
                found = rival
                if name != "random":
                    found = [searched(pool, source, name, s, n) for s in range(seeds)]
                yield {
                    "on": source,
                    "sampler": name,
                    "trials": n,
                    "seeds": seeds,
                    "wins": wins(found, rival, "validation"),
                    "test_wins": wins(found, rival, "test"),
                } | {f"median_{key}": statistics.median(one[key] for one in found) for key in found[0]}


def contests(samplers: Sequence[str], trials: int) -> Iterator[tuple[str, int]]:
    """Samplers and their trials: as many as random search, and of a search in rounds as many epochs too."""
    for name in samplers:
        yield name, trials
        if name == "coarse_to_fine":
            rounds = Rounds(trials=trials, epochs=EPOCHS)
            share = sum(rounds.at(place).epochs for place in range(trials)) / (trials * EPOCHS)
            yield name, round(trials / share)


def wins(found: Sequence[dict[str, float]], rival: Sequence[dict[str, float]], key: str) -> int:
    """In how many seeds a loss is smaller."""
    return sum(a[key] < b[key] for a, b in zip(found, rival, strict=True))


def main() -> None:
    """Search, print a line for each sampler, and save if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samplers", nargs="+", default=list(LEARN))
    parser.add_argument("--seeds", type=int, default=20, help="surfaces")
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 100], help="on each surface")
    parser.add_argument("--data-seeds", type=int, default=5, help="splits of each data set; 0: none")
    parser.add_argument("--data-trials", type=int, default=60)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    args = parser.parse_args()
    rows: list[Row] = []
    for trials in args.trials:
        for row in on_surfaces(args.samplers, args.seeds, trials):
            rows.append(row)
            print(json.dumps(row), flush=True)
    for row in on_data(args.samplers, args.data_seeds, args.data_trials) if args.data_seeds else ():
        rows.append(row)
        print(json.dumps(row), flush=True)
    if args.save:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        RESULTS.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
