"""The scores of predictions are scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from hpo.models.scores import CLASSIFICATION, REGRESSION, Classified


def rows(n_classes, positive=None, n=200, seed=0):
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, n_classes)).repeat(2, axis=0)  # with ties
    n *= 2
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    labels = random.integers(0, n_classes, n)
    return Classified(labels=labels, log_p=log_p, positive=positive)


def averaged(metric, average):
    return lambda y, p, labels: metric(y, labels, average=average, zero_division=0)


SCORERS = {
    "accuracy": lambda y, p, labels: metrics.accuracy_score(y, labels),
    "balanced_accuracy": lambda y, p, labels: metrics.balanced_accuracy_score(y, labels),
    "log_loss": lambda y, p, labels: metrics.log_loss(y, p, labels=range(p.shape[1])),
    "auc": lambda y, p, labels: (
        metrics.roc_auc_score(y, p[:, 1]) if p.shape[1] == 2 else metrics.roc_auc_score(y, p, multi_class="ovr")
    ),
    "precision": averaged(metrics.precision_score, "macro"),
    "recall": averaged(metrics.recall_score, "macro"),
    "f1": averaged(metrics.f1_score, "macro"),
    **{f"{name}_{how}": averaged(getattr(metrics, f"{name}_score"), how)
       for name in ("precision", "recall", "f1") for how in ("macro", "micro")},
}  # fmt: skip


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_scores_of_classes(name, n_classes):
    given = rows(n_classes)

    wanted = SCORERS[name](given.labels, np.exp(given.log_p), given.predicted)

    assert CLASSIFICATION[name](given) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_of_two_classes_the_positive_one_counts(name):
    given = rows(2, positive=0)

    wanted = getattr(metrics, f"{name}_score")(given.labels, given.predicted, pos_label=0)

    assert CLASSIFICATION[name](given) == pytest.approx(wanted)


def test_classes_that_nobody_has_or_is_given_have_no_part():
    log_p = np.log(np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]))
    given = Classified(labels=np.array([0, 1]), log_p=log_p)

    assert (CLASSIFICATION["f1"](given), CLASSIFICATION["balanced_accuracy"](given)) == (1.0, 1.0)
    alone = Classified(labels=np.array([1, 1]), log_p=log_p)
    assert np.isnan(CLASSIFICATION["auc"](alone))


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("rmse", metrics.root_mean_squared_error),
        ("mse", metrics.mean_squared_error),
        ("mae", metrics.mean_absolute_error),
        ("r2", metrics.r2_score),
    ],
)
def test_scores_of_values(name, oracle):
    y, predicted = np.random.default_rng(0).normal(size=(2, 100))

    assert REGRESSION[name](y, predicted) == pytest.approx(oracle(y, predicted))
    assert set(REGRESSION) == {"rmse", "mse", "mae", "r2"}
