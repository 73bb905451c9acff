"""Fused training against a plain eager loop, both on one GPU. Needs torch (2.11 or newer) and numpy alone.

    PYTHONPATH=. python benchmarks/gpu.py [--rows digits fashion-mnist mixed lanes exact] [--rounds 3] [--out gpu.json]

Both keep the data on the device and look at the validation rows after each epoch; times are training
after imports, recording of graphs included. Rows are random numbers of the real sets' sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

os.environ.setdefault("MKL_CBWR", "AVX2")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from hpo.cohort import CohortTask
from hpo.dataset import TrainingData
from hpo.fused.device import prepare_process
from hpo.fused.trainer import Trainer
from hpo.hyperparams import ACTIVATIONS, OPTIMIZERS
from hpo.space import Value
from hpo.testing.lanes import assert_near, make_data, make_task, train_lanes, train_reference
from hpo.training import shape_of

NINE = ("sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "amsgrad", "nadam")
EIGHT = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu")


@dataclass(frozen=True, kw_only=True)
class Work:
    """A net and its data: sizes, and what every trial has in common."""

    rows: int
    validation: int
    inputs: int
    params: dict[str, Value]

    def data(self) -> TrainingData:
        """Random rows of ten classes."""
        return make_data(self.rows, self.inputs, 10, n_validation=self.validation)

    def task(self, data: TrainingData, n_lanes: int, *, mixed: bool = False) -> CohortTask:
        """A cohort of trials whose rates differ; mixed: nine optimizers and eight activations among them."""
        trials: list[dict[str, Value]] = [
            self.params
            | {"learning_rate": 10 ** (-3.5 + place / n_lanes)}
            | ({"optimizer": NINE[place % 9], "activation": EIGHT[place % 8]} if mixed else {})
            for place in range(n_lanes)
        ]
        return make_task(data, trials, metric="accuracy")


DIGITS = Work(
    rows=1078,
    validation=359,
    inputs=64,
    params={"hidden_units": "64-64", "batch_size": 64, "epochs": 20, "optimizer": "adam"},
)
FASHION = Work(
    rows=48_000,
    validation=12_000,
    inputs=784,
    params={"hidden_units": 128, "hidden_layers": 1, "batch_size": 128, "epochs": 4, "optimizer": "adam"},
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where to measure, how often, and how many lanes at most."""

    device: str
    rounds: int
    most_lanes: int

    def seconds(self, work: Callable[[], Any]) -> float:
        """How long some work takes, until the device is done with it."""
        self._wait()
        begin = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - begin

    def _wait(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize()

    def fused(self, task: CohortTask, data: TrainingData) -> float:
        """Seconds that the whole cohort takes."""
        return self.seconds(lambda: Trainer(task, data, device=self.device).run(lambda report: None))

    def plain(self, task: CohortTask, data: TrainingData) -> float:
        """Seconds that the first trial takes alone, in a plain loop."""
        return self.seconds(lambda: train_plain(task, data, self.device))

    def gemm_flops(self) -> float:
        """Operations a second of a product of 1,024 by 1,024 by 1,024 in float32, as training has it."""
        a = torch.randn(1024, 1024, device=self.device)
        self.seconds(lambda: a @ a)
        return 50 * 2 * 1024**3 / self.seconds(lambda: [a @ a for _ in range(50)])


def train_plain(task: CohortTask, data: TrainingData, device: str) -> None:
    """One trial as one would write it, relu and Adam."""
    training, validation = data.folds[0]
    x, y = torch.from_numpy(training.x).to(device), torch.from_numpy(training.y).long().to(device)
    vx, vy = torch.from_numpy(validation.x).to(device), torch.from_numpy(validation.y).long().to(device)
    settings, widths = task.lanes[0].settings, (data.n_features, *task.shared.hidden)
    modules: list[torch.nn.Module] = []
    for n_in, n_out in pairwise(widths):
        modules += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    net = torch.nn.Sequential(*modules, torch.nn.Linear(widths[-1], data.n_classes)).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.learning_rate)
    loss_of, best = torch.nn.CrossEntropyLoss(), 0.0
    for _ in range(settings.epochs):
        net.train()
        for rows in torch.randperm(len(x), device=device).split(task.shared.batch_size):
            optimizer.zero_grad()
            loss_of(net(x[rows]), y[rows]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            best = max(best, (net(vx).argmax(1) == vy).float().mean().item())


def against_plain(bench: Bench, work: Work, n_lanes: int) -> dict[str, Any]:
    """How many times faster a trial is in a cohort than alone; medians of alternating rounds."""
    data, n_lanes = work.data(), min(n_lanes, bench.most_lanes)
    task = work.task(data, n_lanes)
    bench.plain(task, data)  # warms up
    if bench.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    times = [(bench.plain(task, data), bench.fused(task, data) / n_lanes) for _ in range(bench.rounds)]
    plain, fused = (statistics.median(each) for each in zip(*times, strict=True))
    settings = task.lanes[0].settings
    shape = shape_of(task.shared, settings, data.n_features, data.n_classes)
    flops = shape.flops_per_row * work.rows * settings.epochs
    return {
        "lanes": n_lanes,
        "plain_ms_per_trial": 1e3 * plain,
        "fused_ms_per_trial": 1e3 * fused,
        "times_faster": statistics.median(p / f for p, f in times),
        "share_of_gemm": flops / fused / bench.gemm_flops(),
        "bytes_per_lane": torch.cuda.max_memory_allocated() // n_lanes if bench.device != "cpu" else None,
    }


def mixed(bench: Bench) -> dict[str, Any]:
    """A cohort of nine optimizers and eight activations against one of Adam and relu."""
    data, n_lanes = DIGITS.data(), min(256, bench.most_lanes)
    one, many = (DIGITS.task(data, n_lanes, mixed=which) for which in (False, True))
    times = [bench.fused(many, data) / bench.fused(one, data) for _ in range(bench.rounds)]
    return {"lanes": n_lanes, "times_as_long": statistics.median(times)}


def by_lanes(bench: Bench) -> dict[str, Any]:
    """Milliseconds of a trial, by the cohort's size."""
    data, found = DIGITS.data(), {}
    for n_lanes in (2**power for power in range(13)):
        if n_lanes <= bench.most_lanes:
            found[n_lanes] = 1e3 * bench.fused(DIGITS.task(data, n_lanes), data) / n_lanes
    return {"ms_per_trial": found}


def exact(bench: Bench) -> dict[str, Any]:
    """Which lanes are not those of plain torch on the CPU after fifty steps, to 1e-4 of each norm."""
    data, off = make_data(320, 20, 3), []
    pairs = list(product(OPTIMIZERS, ACTIVATIONS))[: bench.most_lanes]
    trials: list[dict[str, Value]] = [
        {"optimizer": o, "activation": a, "learning_rate": 1e-3, "dropout": 0.2} for o, a in pairs
    ]
    task = make_task(data, trials)
    fused = train_lanes(task, data, epochs=5, device=bench.device)
    for lane in task.lanes:
        plain = train_reference(task, lane, data, epochs=5)
        try:
            assert_near(fused[lane.number, 0, 0], plain, 1e-4, pairs[lane.number])
        except AssertionError as error:
            off.append(str(error))
    return {"lanes": len(task.lanes), "off": off}


ROWS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "digits": lambda bench: against_plain(bench, DIGITS, 1024),
    "fashion-mnist": lambda bench: against_plain(bench, FASHION, 256),
    "mixed": mixed,
    "lanes": by_lanes,
    "exact": exact,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each row as it comes; 1 when a lane was off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda", help="cpu only shows that the script runs")
    parser.add_argument("--most-lanes", type=int, default=4096, help="smaller cohorts than the rows ask for")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    if args.device != "cpu" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device here")
    prepare_process()
    bench = Bench(device=args.device, rounds=args.rounds, most_lanes=args.most_lanes)
    name = "cpu" if args.device == "cpu" else torch.cuda.get_device_name()
    found: dict[str, Any] = {"device": name, "torch": torch.__version__}
    for row in args.rows:
        found[row] = ROWS[row](bench)
        print(json.dumps({row: found[row]}), flush=True)
    if args.out:
        args.out.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if found.get("exact", {}).get("off") else 0


if __name__ == "__main__":
    sys.exit(main())
