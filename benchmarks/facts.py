"""What noting facts costs: its share of the CPU time of training, on digits and on the Playground's net.

    python benchmarks/facts.py [--lanes 32 256] [--epochs 10] [--rounds 3]

Both are measured inside one run, so that a busy machine slows them alike; the median of the rounds is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

os.environ["MKL_CBWR"] = "AVX2"
sys.path.insert(0, str(Path(__file__).parent))

from core import digits, make_task

from hpo.cohort import CohortTask, LaneTask
from hpo.data.prepare import prepare
from hpo.dataset import TrainingData
from hpo.fused.device import prepare_process
from hpo.fused.facts import Watch
from hpo.fused.trainer import Trainer
from hpo.study import DataSpec
from hpo.training import settings_of

ACTIVATIONS = ("relu", "tanh", "sigmoid")
spent = [0]  # nanoseconds in Watch


def timed(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, adding what it takes to `spent`."""

    @wraps(method)
    def wrapped(*args: Any) -> Any:
        began = time.process_time_ns()
        try:
            return method(*args)
        finally:
            spent[0] += time.process_time_ns() - began

    return wrapped


def playground(n_lanes: int, epochs: int, activation: str) -> tuple[CohortTask, TrainingData]:
    """Spiral with seven features, one hidden layer of 8, batch 10."""
    data = (
        prepare(DataSpec(source="spiral"), scalings=["none"], folder=Path(), seed=0).scaled["none"].training
    )
    task, lanes = make_task(n_lanes, epochs, "sgd"), []
    for number in range(n_lanes):
        params = {
            "hidden_units": 8,
            "hidden_layers": 1,
            "batch_size": 10,
            "optimizer": "sgd",
            "scaling": "none",
        }
        params |= {"epochs": epochs, "activation": activation, "learning_rate": 0.001 * (number + 1)}
        shared, settings = settings_of(params, task=data.task, n_classes=2)
        lanes.append(LaneTask(number=number, repeat=0, fold=0, settings=settings))
    return replace(task, shared=shared, lanes=tuple(lanes)), data


def of_digits(n_lanes: int, epochs: int, activation: str) -> tuple[CohortTask, TrainingData]:
    """The cohort of `benchmarks/core.py` with adam."""
    task = make_task(n_lanes, epochs, "adam")
    lanes = [replace(lane, settings=replace(lane.settings, activation=activation)) for lane in task.lanes]
    return replace(task, lanes=tuple(lanes)), digits()


def share(task: CohortTask, data: TrainingData) -> float:
    """Time spent on facts over time spent on training with them."""
    spent[0] = 0
    began = time.process_time_ns()
    Trainer(task, data).run(lambda result: None)
    return spent[0] / (time.process_time_ns() - began)


def main() -> None:
    """One line for each net, number of lanes and activation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, nargs="*", default=[32, 256])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    prepare_process()
    for name in ("gradients_", "units_", "columns"):
        setattr(Watch, name, timed(getattr(Watch, name)))
    for net, make in (("digits", of_digits), ("playground", playground)):
        for n_lanes in args.lanes:
            for activation in ACTIVATIONS:
                task, data = make(n_lanes, args.epochs, activation)
                found = statistics.median(share(task, data) for _ in range(args.rounds))
                line = {"net": net, "lanes": n_lanes, "activation": activation, "share": round(found, 4)}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
