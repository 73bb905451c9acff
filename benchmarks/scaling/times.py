"""How long real cohorts take: measured with the real local pool, kept beside the results, drawn from by the farm."""

from __future__ import annotations

import json
import platform
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hpo.cohort import CohortDone, CohortTask, EpochResult, LaneTask
from hpo.data.prepare import prepare
from hpo.dataset import Task
from hpo.study import DataSpec, Direction
from hpo.training import settings_of
from hpo.workers.local_pool import LocalPool

FILE = Path(__file__).parents[1] / "results" / "scale_cohorts.json"
COMMAND = "python benchmarks/scale.py --measure"
WIDTHS = (1, 4, 8, 16, 32, 64)
EPOCHS = 20
ROUNDS = 3
NET = {"hidden_layers": 2, "hidden_units": 64, "batch_size": 64, "activation": "relu", "dropout": 0.2}
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")


def measure(n_workers: int) -> dict[str, Any]:
    """Train cohorts of the digits study on every worker at once; seconds of each epoch, by width."""
    [scaled] = prepare(DataSpec(source="digits"), scalings=["minmax"], folder=Path(), seed=0).scaled.values()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        pool = LocalPool(n_workers=n_workers, scratch=Path(folder))
        pool.start()
        try:
            pool.put_data("digits", scaled.training)
            _train(pool, n_workers, WIDTHS[0], 0, [])  # workers have imported torch then
            for width in WIDTHS:
                epochs: list[float] = []
                for first in range(n_workers, n_workers * (1 + ROUNDS), n_workers):
                    last = _train(pool, n_workers, width, first, epochs)
                found[str(width)] = [round(seconds, 6) for seconds in epochs]
        finally:
            pool.close()
    [ended] = last.ended[:1]
    return {
        "command": COMMAND,
        "machine": f"{platform.machine()}, {n_workers} cores, each a worker",
        "study": "digits, 64-64, batches of 64",
        "epochs": EPOCHS,
        "columns": ended.curve.columns if ended.curve is not None else (),
        "facts": dict(ended.facts),
        "model_bytes": last.model_bytes,
        "epoch_seconds": found,
    }


@dataclass(slots=True)
class _Last:
    ended: tuple[Any, ...] = ()
    model_bytes: int = 0


def _train(pool: LocalPool, n_workers: int, width: int, first: int, epochs: list[float]) -> _Last:
    """A cohort of that width on each worker; adds the seconds of epochs after the first."""
    begun: dict[int, float] = {}
    for place in range(n_workers):
        pool.submit(_task(1 + 1000 * width + first + place, width))
    left, last = n_workers, _Last()
    while left:
        for report in pool.poll(1.0):
            now = time.perf_counter()
            if isinstance(report, EpochResult):
                if report.cohort in begun:
                    epochs.append(now - begun[report.cohort])
                begun[report.cohort] = now
                last.ended = report.ended or last.ended
            elif isinstance(report, CohortDone):
                left -= 1
                last.model_bytes = len(report.model or b"")
            else:
                raise RuntimeError(f"a cohort failed: {report}")
    return last


def _task(id_: int, width: int) -> CohortTask:
    lanes = []
    for number in range(width):
        params = NET | {
            "epochs": EPOCHS,
            "learning_rate": 1e-3 * (1 + number / width),
            "optimizer": OPTIMIZERS[number % len(OPTIMIZERS)],
            "scaling": "minmax",
        }
        shared, settings = settings_of(params, task=Task.CLASSIFICATION, n_classes=10)
        lanes.append(LaneTask(number=number, repeat=0, fold=0, settings=settings))
    return CohortTask(
        id=id_, attempt=1, data="digits", shared=shared, lanes=tuple(lanes), seed=0, metric="accuracy",
        direction=Direction.MAXIMIZE,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Epochs as they were measured. slower: every epoch takes so many times as long, as of a larger network."""

    epoch_seconds: Mapping[int, tuple[float, ...]]
    columns: tuple[str, ...]
    facts: Mapping[str, float | None]
    model_bytes: int
    slower: float

    def draw(self, width: int, rng: random.Random) -> float:
        """Seconds of an epoch of a cohort of so many lanes: one of those measured at the nearest width."""
        nearest = min(self.epoch_seconds, key=lambda measured: abs(measured - width))
        seconds = rng.choice(self.epoch_seconds[nearest])
        return seconds * self.slower * (width / nearest if width > nearest else 1.0)

    def median(self, width: int) -> float:
        """Of the epochs at the nearest width."""
        nearest = min(self.epoch_seconds, key=lambda measured: abs(measured - width))
        return median(self.epoch_seconds[nearest]) * self.slower


def read(slower: float) -> Times:
    """The times that were measured last."""
    kept = json.loads(FILE.read_text())
    return Times(
        epoch_seconds={int(width): tuple(seconds) for width, seconds in kept["epoch_seconds"].items()},
        columns=tuple(kept["columns"]),
        facts=kept["facts"],
        model_bytes=kept["model_bytes"],
        slower=slower,
    )
