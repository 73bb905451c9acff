"""Builders of cohorts and data for tests, and the comparison of lanes with plain torch or with one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from hpo.cohort import CohortTask, LaneTask
from hpo.dataset import Rows, Task, TrainingData
from hpo.fused.lanes import LaneGroup
from hpo.fused.layers import LaneWeights
from hpo.fused.reference import ReferenceLane
from hpo.fused.trainer import Trainer
from hpo.space import Value
from hpo.study import METRICS
from hpo.training import SharedSettings, settings_of, shape_of

ORDINARY: dict[str, Value] = {"hidden_units": "33-17", "batch_size": 32, "epochs": 5, "learning_rate": 0.01}


def make_rows(n: int, n_features: int, n_classes: int, *, seed: int = 0) -> Rows:
    """Rows that can be learned: classes or a number from a random linear map with noise."""
    rng = np.random.default_rng([seed, 1])
    rule = np.random.default_rng([7, n_features]).normal(size=(n_features, max(n_classes, 1)))
    x = rng.normal(size=(n, n_features)).astype(np.float32)
    z = x @ rule / n_features**0.5 + 0.3 * rng.normal(size=(n, max(n_classes, 1)))
    y = z.argmax(1) if n_classes > 2 else (z[:, 0] > z[:, 1]) if n_classes else z[:, 0]
    return Rows(x=x, y=y.astype(np.float32))


def make_data(
    n: int = 320,
    n_features: int = 20,
    n_classes: int = 3,
    *,
    n_validation: int = 100,
    folds: int = 1,
) -> TrainingData:
    """Training and validation rows; n_classes 0 is a regression. Fold f has f training rows more."""
    return TrainingData(
        task=Task.CLASSIFICATION if n_classes else Task.REGRESSION,
        folds=tuple(
            (
                make_rows(n + fold, n_features, n_classes, seed=2 * fold),
                make_rows(n_validation, n_features, n_classes, seed=2 * fold + 1),
            )
            for fold in range(folds)
        ),
        n_features=n_features,
        n_classes=n_classes,
    )


def make_task(
    data: TrainingData,
    trials: Sequence[Mapping[str, Value]],
    *,
    metric: str | None = None,
    repeats: int = 1,
    seed: int = 0,
    rungs: bool = False,
) -> CohortTask:
    """A cohort of these trials, by number; what a trial leaves out is ORDINARY, then the defaults.

    rungs: trials may have widths of their own, if they are padded alike
    """
    metric = metric or ("log_loss" if data.n_classes else "rmse")
    shared: set[SharedSettings] = set()
    lanes = []
    for number, params in enumerate(trials):
        common, settings = settings_of(
            ORDINARY | dict(params), task=data.task, n_classes=data.n_classes, rungs=rungs
        )
        shared.add(common)
        lanes += [
            LaneTask(number=number, repeat=repeat, fold=fold, settings=settings)
            for repeat in range(repeats)
            for fold in range(len(data.folds))
        ]
    (only,) = shared  # a cohort shares these; a ValueError here is a mistake in the test
    return CohortTask(
        id=1,
        attempt=1,
        data="test",
        shared=only,
        lanes=tuple(lanes),
        seed=seed,
        metric=metric,
        direction=METRICS[metric],
    )


def train_lanes(
    task: CohortTask,
    data: TrainingData,
    *,
    epochs: int,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> dict[tuple[int, int, int], LaneWeights]:
    """Train every lane for so many epochs, whatever its own; weights by (number, repeat, fold)."""
    groups = Trainer(task, data, dtype=dtype, device=device).groups
    for group in groups:
        for epoch in range(1, epochs + 1):
            group.train_epoch(epoch)
    return weights_of(groups)


def weights_of(groups: Sequence[LaneGroup]) -> dict[tuple[int, int, int], LaneWeights]:
    """The weights of every lane as they are now, by (number, repeat, fold)."""
    return {
        (lane.number, lane.repeat, lane.fold): group.lane_weights(group.flat, place)
        for group in groups
        for place, lane in enumerate(group.lanes)
    }


def reference_lane(
    task: CohortTask, lane: LaneTask, data: TrainingData, *, dtype: torch.dtype = torch.float32
) -> ReferenceLane:
    """The same lane in plain torch, untrained."""
    return ReferenceLane(
        task.shared,
        lane.settings,
        shape_of(task.shared, lane.settings, data.n_features, data.n_classes),
        seed=task.seed,
        repeat=lane.repeat,
        dtype=dtype,
        class_weights=class_weights_of(task, data, data.folds[lane.fold][0]),
    )


def class_weights_of(task: CohortTask, data: TrainingData, training: Rows) -> torch.Tensor | None:
    """n / (C n_c) of each class, float64, when the task balances them; 1 for a class without a row."""
    if task.shared.class_weight == "none":
        return None
    counts = np.bincount(training.y.astype(np.int64), minlength=data.n_classes)
    weights = len(training.y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return torch.from_numpy(np.where(counts, weights, 1.0))


def train_reference(
    task: CohortTask, lane: LaneTask, data: TrainingData, *, epochs: int, dtype: torch.dtype = torch.float32
) -> LaneWeights:
    """The weights that plain torch gives a lane after so many epochs."""
    plain = reference_lane(task, lane, data, dtype=dtype)
    rows = data.folds[lane.fold][0]
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    for epoch in range(1, epochs + 1):
        plain.train_epoch(x, y, epoch)
    return plain.lane_weights(lane.fold)


def assert_same_bits(got: LaneWeights, wanted: LaneWeights, what: object = "") -> None:
    """Raises AssertionError unless every weight and bias is the same number (NaN equals NaN)."""
    for layer, (a, b) in enumerate(zip(_arrays(got), _arrays(wanted), strict=True)):
        if not np.array_equal(a, b, equal_nan=True):
            n = int((~np.isclose(a, b, rtol=0, atol=0, equal_nan=True)).sum())
            raise AssertionError(f"{what}: array {layer} of {a.shape} differs in {n} numbers")


def assert_near(
    got: LaneWeights, wanted: LaneWeights, tolerance: float, what: object = "", *, floor: float = 1e-3
) -> None:
    """Raises AssertionError unless each array differs by at most tolerance times its norm.

    floor: a norm below it counts as this: a bias that crosses zero has no digits to agree in
    """
    for layer, (a, b) in enumerate(zip(_arrays(got), _arrays(wanted), strict=True)):
        off, norm = np.linalg.norm(a - b), np.linalg.norm(b)
        if not off <= tolerance * max(float(norm), floor):
            raise AssertionError(f"{what}: array {layer} of {a.shape} is off by {off:.3g} of {norm:.3g}")


def assert_lanes_match(
    task: CohortTask,
    data: TrainingData,
    *,
    epochs: int,
    dtype: torch.dtype = torch.float32,
    tolerance: float | None = None,
) -> None:
    """Train a cohort, and each of its lanes by plain torch; raises AssertionError unless weights agree.

    tolerance: None for bit for bit, else of each array's norm
    """
    fused = train_lanes(task, data, epochs=epochs, dtype=dtype)
    for lane in task.lanes:
        plain = train_reference(task, lane, data, epochs=epochs, dtype=dtype)
        what = (lane.number, lane.settings.optimizer, lane.settings.activation)
        got = fused[lane.number, lane.repeat, lane.fold]
        if tolerance is None:
            assert_same_bits(got, plain, what)
        else:
            assert_near(got, plain, tolerance, what)


def _arrays(lane: LaneWeights) -> list[np.ndarray]:
    return [
        *lane.weights,
        *lane.biases,
        *(array for name in sorted(lane.extras) for array in lane.extras[name]),
    ]
