"""What noting facts costs: its share of the CPU time of training, on digits and on the Playground's spiral.

    python benchmarks/facts.py [--lanes 32 256] [--epochs 10] [--rounds 3]

Both are measured inside one run, so that a busy machine slows them alike; the median of the rounds is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

os.environ["MKL_CBWR"] = "AVX2"

from hpo.cohort import CohortTask, LaneTask
from hpo.data.prepare import prepare
from hpo.fused.device import prepare_process
from hpo.fused.facts import Watch
from hpo.fused.trainer import Trainer
from hpo.study import DataSpec, Direction
from hpo.training import settings_of

NETS: dict[str, dict[str, Any]] = {
    "digits": {"hidden_layers": 2, "hidden_units": 64, "batch_size": 64, "optimizer": "adam"},
    "spiral": {"hidden_layers": 1, "hidden_units": 8, "batch_size": 10, "optimizer": "sgd"},
}
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


def share(net: str, n_lanes: int, epochs: int, activation: str) -> float:
    """Time spent on facts over time spent on training a cohort with them."""
    [scaled] = prepare(DataSpec(source=net), scalings=[None], folder=Path(), seed=0).scaled.values()
    data, lanes = scaled.training, []
    for number in range(n_lanes):
        params = {
            **NETS[net],
            "epochs": epochs,
            "activation": activation,
            "learning_rate": 1e-4 * (number + 1),
        }
        shared, settings = settings_of(params, task=data.task, n_classes=data.n_classes)
        lanes.append(LaneTask(number=number, repeat=0, fold=0, settings=settings))
    task = CohortTask(
        id=1, attempt=1, data="", shared=shared, lanes=tuple(lanes), seed=0, metric="accuracy",
        direction=Direction.MAXIMIZE,
    )  # fmt: skip
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
    for net in NETS:
        for n_lanes in args.lanes:
            for activation in ACTIVATIONS:
                found = [share(net, n_lanes, args.epochs, activation) for _ in range(args.rounds)]
                line = {"net": net, "lanes": n_lanes, "activation": activation}
                print(json.dumps(line | {"share": round(statistics.median(found), 4)}), flush=True)


if __name__ == "__main__":
    main()
