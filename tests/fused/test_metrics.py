"""Metrics equal scikit-learn's, whatever the batches and the loss."""

from dataclasses import fields, replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from hpo.dataset import TargetScaling, Task
from hpo.fused.device import Memory
from hpo.fused.losses import LOSSES
from hpo.fused.metrics import METRICS, Scale, Tally
from hpo.fused.network import Pass
from hpo.fused.scoring import score
from hpo.fused.targets import Target
from hpo.fused.trainer import Trainer
from hpo.study import CLASSIFICATION_METRICS
from hpo.study import METRICS as DIRECTIONS
from hpo.testing.lanes import make_data, make_task, reference_lane
from hpo.training import settings_of

CPU = torch.device("cpu")
N = 60


def pass_of(out):
    """A pass whose outputs are these, [K, B, C]."""
    empty = {field.name: [] for field in fields(Pass)}
    return Pass(**empty | {"rows": out.shape[1], "out": out, "out_grad": torch.empty(0)})


def tally_of(out, y, n_classes, *, names, loss=None, positive=None, scaling=None, label_smoothing=0.0):
    """A tally of outputs [K, n, C], fed in uneven batches, the later ones through a tally of their own."""
    task = Task.CLASSIFICATION if n_classes else Task.REGRESSION
    params = {"label_smoothing": label_smoothing} | ({"loss": loss} if loss else {})
    shared, settings = settings_of(params, task=task, n_classes=n_classes)
    lanes, n = out.shape[:2]
    scale = Scale(n_classes, positive, scaling or TargetScaling())
    look = LOSSES[shared.loss]([settings] * lanes, n, n_classes, Memory(CPU, torch.float32), None)
    whole, memory = Tally(lanes, scale, names, CPU), torch.empty(n, dtype=torch.int64)
    for batches in (((0, 7), (7, 8)), ((8, n),)):
        tally = Tally(lanes, scale, names, CPU)
        for begin, end in batches:
            part = torch.as_tensor(y[begin:end])
            labels = memory[: end - begin].copy_(part)  # as in training: the next batches are written over it
            tally.add(look, pass_of(torch.as_tensor(out[:, begin:end])), Target(part.float(), labels))
        whole.absorb(tally)
    return whole


def cases(n_classes):
    """Logits [K, n, C] and labels: random, with ties, of one class only, and labels that lack classes."""
    rng = np.random.default_rng(n_classes)
    y = rng.integers(0, n_classes, N)
    y[:n_classes] = np.arange(n_classes)
    random = rng.normal(size=(4, N, n_classes)).astype(np.float32)
    random[2] += 2 * np.eye(n_classes, dtype=np.float32)[y]  # a good one
    random[3] -= 9 * np.eye(n_classes, dtype=np.float32)[y]  # one that is always wrong
    tied = random[:, rng.integers(0, 5, N)]
    still = np.zeros((2, N, n_classes), dtype=np.float32)
    still[1, :, n_classes - 1] = 1.0
    return {
        "random": (random, y),
        "tied": (tied, y),
        "still": (still, y),
        "absent": (random, np.minimum(y, max(n_classes - 2, 1))),
        "single": (random, np.ones(N, dtype=np.int64)),
    }


def area(y, logits):
    """The mean over the classes that are there, each against the rest; NaN when only one is."""
    if logits.shape[1] == 2:
        columns = [(y, (logits[:, 1].astype(np.float64) - logits[:, 0]).astype(np.float32))]
    else:
        logits = logits.astype(np.float64)
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        columns = [(y == c, p[:, c]) for c in range(logits.shape[1])]
    areas = [sk.roc_auc_score(there, score) for there, score in columns if 0 < np.mean(there) < 1]
    return np.mean(areas) if areas else np.nan


def oracle(name, y, logits, positive):
    """What scikit-learn says of one lane."""
    predicted = logits.argmax(1)
    if name == "accuracy":
        return sk.accuracy_score(y, predicted)
    if name == "balanced_accuracy":
        return np.mean([(predicted[y == c] == c).mean() for c in np.unique(y)])
    if name == "log_loss":
        z = logits.astype(np.float64)
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        return sk.log_loss(y, p, labels=np.arange(logits.shape[1]))
    if name == "auc":
        return area(y, logits)
    word, _, average = name.partition("_")
    score = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}[word]
    if not average and logits.shape[1] == 2 and positive is not None:
        return score(y, predicted, pos_label=positive, zero_division=0)
    return score(y, predicted, average=average or "macro", zero_division=0)


@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
@pytest.mark.parametrize(
    ("n_classes", "positive"), [(2, None), (2, 0), (2, 1), (3, None), (3, 1), (17, None)]
)
def test_metrics_of_classes_are_those_of_scikit_learn(name, n_classes, positive):
    for case, (logits, y) in cases(n_classes).items():
        tally = tally_of(logits, y, n_classes, names=[name], loss="cross_entropy", positive=positive)

        got = METRICS[name](tally)

        wanted = [oracle(name, y, lane, positive) for lane in logits]
        tolerance = 1e-5 if name == "log_loss" else 1e-12
        assert got.tolist() == pytest.approx(wanted, rel=tolerance, nan_ok=True), case


@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
def test_one_logit_gives_the_metrics_of_two(name):
    for case, (logits, y) in cases(2).items():
        one = logits[:, :, 1:] - logits[:, :, :1]

        got = METRICS[name](tally_of(one, y, 2, names=[name], loss="binary_cross_entropy", positive=1))

        wanted = [oracle(name, y, lane, 1) for lane in logits]
        assert got.tolist() == pytest.approx(wanted, rel=1e-5, nan_ok=True), case


def test_balanced_accuracy_and_the_macro_area_are_also_scikit_learn_s_own():
    logits, y = cases(7)["random"]
    p = torch.softmax(torch.as_tensor(logits, dtype=torch.float64), 2).numpy()

    tally = tally_of(logits, y, 7, names=["auc", "balanced_accuracy"])

    areas = [sk.roc_auc_score(y, lane, multi_class="ovr", average="macro") for lane in p]
    assert METRICS["auc"](tally).tolist() == pytest.approx(areas, rel=1e-12)
    recalls = [sk.balanced_accuracy_score(y, lane.argmax(1)) for lane in logits]
    assert METRICS["balanced_accuracy"](tally).tolist() == pytest.approx(recalls, rel=1e-12)


def test_the_area_of_two_classes_does_not_depend_on_which_is_positive():
    logits, y = cases(2)["tied"]
    one = logits[:, :, 1:] - logits[:, :, :1]

    areas = [METRICS["auc"](tally_of(one, y, 2, names=["auc"], positive=p)) for p in (None, 0, 1)]

    assert torch.equal(areas[0], areas[1])
    assert torch.equal(areas[1], areas[2])


def test_both_zeros_are_tied():
    zeros = torch.tensor([0.0, -0.0]).repeat(N // 2).view(1, N, 1)

    for y in (np.arange(N) % 2, 1 - np.arange(N) % 2):
        assert METRICS["auc"](tally_of(zeros, y, 2, names=["auc"])).tolist() == [0.5]


def test_the_area_tells_apart_rows_whose_probabilities_are_both_one():
    y = np.arange(N) % 2
    logits = np.where(y == 1, 60.0, 50.0).astype(np.float32).reshape(1, N, 1)  # sigmoid of both is 1

    assert METRICS["auc"](tally_of(logits, y, 2, names=["auc"])).tolist() == [1.0]


def test_log_loss_knows_nothing_of_smoothing():
    logits, y = cases(3)["random"]

    plain, smooth = (tally_of(logits, y, 3, names=["log_loss"], label_smoothing=e) for e in (0.0, 0.3))

    assert torch.equal(METRICS["log_loss"](plain), METRICS["log_loss"](smooth))
    assert torch.equal(METRICS["log_loss"](plain), plain.mean_loss())
    assert not torch.isclose(smooth.mean_loss(), plain.mean_loss()).any()


def test_every_metric_of_the_vocabulary_is_there():
    assert set(METRICS) == set(DIRECTIONS)


@pytest.mark.parametrize("positive", [0, 1])
def test_without_any_hit_or_any_prediction_precision_recall_and_f1_are_zero(positive):
    y = np.array([0] * 5 + [1] * 5)
    predicted = np.stack([1 - y, np.full(10, 1 - positive)])
    names = ("precision", "recall", "f1")

    tally = tally_of(
        np.eye(2, dtype=np.float32)[predicted], y, 2, names=names, loss="cross_entropy", positive=positive
    )

    assert [METRICS[name](tally).tolist() for name in names] == [[0.0, 0.0]] * 3


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_curve_and_the_score_of_a_kept_model_are_its_outputs_metrics(n_classes):
    data = make_data(50, 5, n_classes, n_validation=300)
    task = make_task(data, [{"epochs": 1, "hidden_units": 13, "batch_size": 16, "learning_rate": 1e-30}])
    facts = SimpleNamespace(
        n_features=5, n_classes=n_classes, positive=None, target_scaling=data.target_scaling(0)
    )
    lane = task.lanes[0]
    validation = data.folds[0][1]
    out = [reference_lane(task, lane, data).outputs(torch.from_numpy(rows.x)) for rows in data.folds[0]]
    if n_classes == 2:
        out = [torch.cat([torch.zeros_like(one), one], 1) for one in out]

    for name in CLASSIFICATION_METRICS:
        trainer, reports = Trainer(replace(task, metric=name), data), []
        trained = trainer.run(reports.append)

        wanted = [
            oracle(name, rows.y, logits.numpy(), None)
            for rows, logits in zip(data.folds[0], out, strict=True)
        ]
        curve = reports[0].ended[0].curve
        got = [curve.column(f"{part}_{name}")[0] for part in ("train", "validation")]
        assert got == pytest.approx(wanted, rel=1e-5), name
        scores = score(task.shared, lane.settings, trained.best_lanes, facts, validation, [name])
        assert scores[name] == pytest.approx([wanted[1]], rel=1e-5), name


SCALINGS = [
    TargetScaling(),
    TargetScaling(kind="standardize", mean=-3.0, scale=12.5),
    TargetScaling(kind="log1p", mean=1.5, scale=0.5),
]
REGRESSION = {
    "r2": sk.r2_score,
    "rmse": sk.root_mean_squared_error,
    "mse": sk.mean_squared_error,
    "mae": sk.mean_absolute_error,
}


@pytest.mark.parametrize(
    ("name", "scaling", "loss"), list(product(REGRESSION, SCALINGS, ("mse", "mae", "huber")))
)
def test_regression_metrics_are_in_the_target_s_own_unit(name, scaling, loss):
    rng = np.random.default_rng(1)
    y = rng.normal(size=N).astype(np.float32)
    predicted = (y + 0.3 * rng.normal(size=(4, N))).astype(np.float32)

    def own(a):
        a = a.astype(np.float64) * scaling.scale + scaling.mean
        return np.expm1(a) if scaling.kind == "log1p" else a

    got = METRICS[name](tally_of(predicted[:, :, None], y, 0, names=[name], loss=loss, scaling=scaling))

    assert got.tolist() == pytest.approx([REGRESSION[name](own(y), own(p)) for p in predicted], rel=1e-9)


def test_r2_of_a_constant_target_is_that_of_scikit_learn():
    y = np.full(20, 2.0, dtype=np.float32)
    predicted = np.stack([y, y + 1])[:, :, None]

    got = METRICS["r2"](tally_of(predicted, y, 0, names=["r2"]))

    assert got.tolist() == [sk.r2_score(y, y), sk.r2_score(y, y + 1)] == [1.0, 0.0]


def test_the_mean_loss_is_over_rows_not_over_batches():
    y = np.zeros(N, dtype=np.float32)
    off = np.sqrt(np.arange(2 * N, dtype=np.float64)).astype(np.float32).reshape(2, N, 1)

    assert tally_of(off, y, 0, names=[]).mean_loss().tolist() == pytest.approx([29.5, 89.5])
