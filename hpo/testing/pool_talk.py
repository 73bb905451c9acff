"""Small cohorts for a pool to train, and what it says of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
import psutil

from hpo.cohort import CohortTask, EpochResult, LaneTask, LastReport, Report
from hpo.dataset import Rows, Task, TrainingData
from hpo.space import Value
from hpo.study import Direction
from hpo.training import settings_of
from hpo.workers.base import WorkerPool

KEY = "some-data"
PATIENCE_S = 60.0
FOREVER = 100_000  # epochs


def make_data(n: int = 203, seed: int = 0) -> TrainingData:
    """Three classes on seven features that a small net learns; odd sizes on purpose."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 7), dtype=np.float32)
    y = ((x[:, 0] > 0).astype(np.float32) + (x[:, 1] * x[:, 2] > 0)).astype(np.float32)
    cut = 2 * n // 3
    parts = Rows(x=x[:cut], y=y[:cut]), Rows(x=x[cut:].copy(), y=y[cut:])
    return TrainingData(task=Task.CLASSIFICATION, folds=(parts,), n_features=7, n_classes=3)


def make_task(
    numbers: Sequence[int],
    *,
    id: int = 1,  # noqa: A002  the field's name
    epochs: int = 3,
    judged: bool = False,
    **params: Value,
) -> CohortTask:
    """A cohort of small nets that differ in learning rate and dropout by their number."""
    lanes = []
    for number in numbers:
        own: dict[str, Value] = {
            "hidden_units": 23,
            "epochs": epochs,
            "batch_size": 30,
            "dropout": 0.1 * (number % 3),
        }
        own |= {"learning_rate": 10 ** (-3 + number % 5 / 2), **params}
        shared, settings = settings_of(own, task=Task.CLASSIFICATION, n_classes=3)
        lanes.append(LaneTask(number=number, repeat=0, fold=0, settings=settings))
    return CohortTask(
        id=id,
        attempt=1,
        data=KEY,
        shared=shared,
        lanes=tuple(lanes),
        seed=0,
        metric="log_loss",
        direction=Direction.MINIMIZE,
        judged=judged,
    )


def collect(pool: WorkerPool, n_last: int = 1) -> list[Report]:
    """Reports until so many tasks have had their last. Raises TimeoutError."""
    reports: list[Report] = []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        new = pool.poll(1.0)
        reports += new
        n_last -= sum(isinstance(report, LastReport) for report in new)
        if n_last <= 0:
            return reports
    raise TimeoutError(f"after {PATIENCE_S:g} s {n_last} tasks have not ended, of {len(reports)} reports")


def first_epoch(pool: WorkerPool) -> EpochResult:
    """The first report there is, which must be of an epoch. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for report in pool.poll(1.0):
            assert isinstance(report, EpochResult), report
            return report
    raise TimeoutError("no epoch was reported")


def heard_of(pool: WorkerPool, cohorts: set[int]) -> set[int]:
    """The cohorts that have reported an epoch, once all of these have. Raises TimeoutError."""
    deadline, heard = time.monotonic() + PATIENCE_S, set[int]()
    while time.monotonic() < deadline:
        for report in pool.poll(1.0):
            assert isinstance(report, EpochResult), report
            heard.add(report.cohort)
        if heard >= cohorts:
            return heard
    raise TimeoutError(f"only cohorts {heard} reported an epoch")


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that has ended and whose parent has not looked yet does not."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def bits(reports: Sequence[Report]) -> dict[int, tuple[object, ...]]:
    """All that is known of each trial that ended, to the last bit."""
    ended = [trial for report in reports if isinstance(report, EpochResult) for trial in report.ended]
    return {
        trial.number: (
            trial.state,
            trial.value,
            trial.best_epoch,
            trial.curve and trial.curve.block.tobytes(),
        )
        for trial in ended
    }
