"""What halving saves: epochs and wall time of 81 trials of digits, with rungs at 3 and 9 of 27 epochs, and without.

    python benchmarks/pruning.py [--workers 2] [--rounds 3]

Both studies run in turn inside one run, on the same workers, so that a busy machine slows them alike; the median
of the rounds' ratios is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from hpo.coordinator.loop import Coordinator, Job
from hpo.data.prepare import prepare
from hpo.service.completion import complete
from hpo.service.specfile import parse
from hpo.storage.open import open_storage
from hpo.study import NewStudy, StudySpec
from hpo.workers.local_pool import LocalPool

STUDY = """
data: digits
objective: accuracy
trials: 81
epochs: 27
pruner: {pruner}
parameters:
  learning_rate: {{low: 1e-4, high: 1e-1, log: true}}
  l2: {{low: 1e-6, high: 1e-2, log: true}}
  dropout: {{low: 0.0, high: 0.5}}
  hidden_layers: 2
  hidden_units: 64
  batch_size: 64
"""
PRUNERS = {"none": "none", "halving": "{name: halving, min_epochs: 3, factor: 3, bracket: 81}"}


def study_of(pruner: str, data: Any) -> StudySpec:
    """The completed study file."""
    return complete(parse(STUDY.format(pruner=PRUNERS[pruner])), data.info)


def run(spec: StudySpec, data: Any, pool: LocalPool) -> dict[str, float]:
    """Epochs that all trials trained, the seconds that took, and the best value."""
    storage = open_storage("memory://")
    storage.create_study(
        NewStudy(
            name="study",
            direction=spec.objective.direction,  # type: ignore[union-attr, arg-type]
            metric="accuracy",
            n_trials=81,
            spec={},
            data={},
        )
    )
    began = time.perf_counter()
    Coordinator(storage, pool).run(Job(name="study", spec=spec, data=data))
    seconds = time.perf_counter() - began
    epochs = sum(trial.epochs for trial in storage.trials("study"))
    best = storage.best_trials("study")[0].value or 0.0
    return {"epochs": epochs, "seconds": round(seconds, 2), "best": round(best, 4)}


def main() -> None:
    """Measure, print, and keep the figures beside this script."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--rounds", type=int, default=3)
    wanted = options.parse_args()
    spec = parse(STUDY.format(pruner="none"))
    if spec.data is None:
        raise SystemExit("the study has no data")
    data = prepare(spec.data, scalings=[None], folder=Path(), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        pool = LocalPool(n_workers=wanted.workers, device="cpu", scratch=Path(folder))
        pool.start()
        try:
            run(study_of("halving", data), data, pool)  # workers start, and caches fill
            rounds = [
                {name: run(study_of(name, data), data, pool) for name in PRUNERS}
                for _ in range(wanted.rounds)
            ]
        finally:
            pool.close()
    figures = {
        "workers": wanted.workers,
        "load": [round(load, 1) for load in os.getloadavg()],
        "rounds": rounds,
        "epochs_share": rounds[0]["halving"]["epochs"] / rounds[0]["none"]["epochs"],
        "seconds_share": statistics.median(
            one["halving"]["seconds"] / one["none"]["seconds"] for one in rounds
        ),
    }
    print(json.dumps(figures, indent=1))
    Path(__file__).with_name("results").joinpath("pruning.json").write_text(
        json.dumps(figures, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
