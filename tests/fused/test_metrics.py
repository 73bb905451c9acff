"""Metrics equal scikit-learn's, whatever the batches."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from hpo.dataset import TargetScaling
from hpo.fused.losses import Target
from hpo.fused.metrics import METRICS, Scale, Tally
from hpo.study import METRICS as DIRECTIONS


def tally_of(predicted, y, n_classes, *, names, positive=None, scaling=None, loss=None):
    """A tally of [K, n] predictions, fed in uneven batches."""
    scale = Scale(n_classes, positive, scaling or TargetScaling())
    tally = Tally(len(predicted), scale, names, torch.device("cpu"))
    predicted, y = torch.as_tensor(predicted), torch.as_tensor(y)
    loss = torch.zeros(predicted.shape) if loss is None else loss
    for begin, end in ((0, 7), (7, 8), (8, predicted.shape[1])):
        part = y[begin:end]
        tally.add(loss[:, begin:end], predicted[:, begin:end], Target(part.float(), part.long()))
    return tally


def classes(n_classes, seed=0, n=60, n_lanes=4):
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_classes, (n_lanes, n)), rng.integers(0, n_classes, n)


def test_every_metric_of_the_vocabulary_is_there():
    assert set(METRICS) == set(DIRECTIONS)


@pytest.mark.parametrize("positive", [0, 1])
def test_f1_of_two_classes_is_that_of_the_positive_class(positive):
    predicted, y = classes(2)

    got = METRICS["f1"](tally_of(predicted, y, 2, names=["f1"], positive=positive))

    wanted = [sk.f1_score(y, p, pos_label=positive) for p in predicted]
    assert got.tolist() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(("n_classes", "positive"), [(2, None), (3, None), (7, 1), (50, None)])
def test_f1_without_a_positive_class_of_two_is_the_macro_mean_over_classes_that_occur(n_classes, positive):
    predicted, y = classes(n_classes)  # with 50 classes and 60 rows, some never occur

    got = METRICS["f1"](tally_of(predicted, y, n_classes, names=["f1"], positive=positive))

    wanted = [sk.f1_score(y, p, average="macro", zero_division=0) for p in predicted]
    assert got.tolist() == pytest.approx(wanted, rel=1e-12)


def test_f1_without_any_hit_or_any_prediction_is_zero():
    y = np.array([0] * 5 + [1] * 5)
    predicted = np.stack([1 - y, np.zeros(10, dtype=np.int64)])

    assert METRICS["f1"](tally_of(predicted, y, 2, names=["f1"], positive=1)).tolist() == [0.0, 0.0]


def test_accuracy_is_the_share_of_rows_that_are_right():
    predicted, y = classes(3)

    got = METRICS["accuracy"](tally_of(predicted, y, 3, names=[]))

    assert got.tolist() == pytest.approx([sk.accuracy_score(y, p) for p in predicted], rel=1e-12)


@pytest.mark.parametrize(
    "scaling",
    [
        TargetScaling(),
        TargetScaling(kind="standardize", mean=-3.0, scale=12.5),
        TargetScaling(kind="log1p", mean=1.5, scale=0.5),
    ],
)
@pytest.mark.parametrize("name", ["r2", "rmse", "mse", "mae"])
def test_regression_metrics_are_in_the_target_s_own_unit(name, scaling):
    rng = np.random.default_rng(1)
    y = rng.normal(size=60).astype(np.float32)
    predicted = (y + 0.3 * rng.normal(size=(4, 60))).astype(np.float32)

    def own(a):
        a = a.astype(np.float64) * scaling.scale + scaling.mean
        return np.expm1(a) if scaling.kind == "log1p" else a

    got = METRICS[name](tally_of(predicted, y, 0, names=[name], scaling=scaling))

    oracle = {
        "r2": sk.r2_score,
        "rmse": sk.root_mean_squared_error,
        "mse": sk.mean_squared_error,
        "mae": sk.mean_absolute_error,
    }[name]
    assert got.tolist() == pytest.approx([oracle(own(y), own(p)) for p in predicted], rel=1e-9)


def test_r2_of_a_constant_target_is_that_of_scikit_learn():
    y = np.full(20, 2.0, dtype=np.float32)
    predicted = np.stack([y, y + 1])

    got = METRICS["r2"](tally_of(predicted, y, 0, names=["r2"]))

    assert got.tolist() == [sk.r2_score(y, y), sk.r2_score(y, y + 1)] == [1.0, 0.0]


def test_log_loss_is_the_mean_loss_over_rows_not_over_batches():
    loss = torch.arange(120, dtype=torch.float32).view(2, 60)

    got = METRICS["log_loss"](
        tally_of(np.zeros((2, 60), dtype=np.int64), np.zeros(60), 3, names=[], loss=loss)
    )

    assert got.tolist() == [29.5, 89.5]
    assert not any(math.isnan(v) for v in got.tolist())
