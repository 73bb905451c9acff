"""What predictions are worth on rows whose target is known: the metrics of a study, in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats64 = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classified:
    """Rows of known class.

    labels: [n] class numbers; log_p: [n, classes] logarithms of the predicted probabilities
    positive: the class that precision, recall and f1 are of with two classes; None: macro averages
    """

    labels: Ints
    log_p: Floats64
    positive: int | None = None

    @property
    def predicted(self) -> Ints:
        """The likeliest class of each row, [n]."""
        return np.asarray(self.log_p.argmax(axis=1), dtype=np.int64)

    def counts(self) -> tuple[Floats64, Floats64, Floats64]:
        """Of each class: rows of it that were given to it, rows given to it, rows of it."""
        n = self.log_p.shape[1]
        hits = np.bincount(self.labels[self.predicted == self.labels], minlength=n)
        given, actual = np.bincount(self.predicted, minlength=n), np.bincount(self.labels, minlength=n)
        return hits.astype(float), given.astype(float), actual.astype(float)


def _share(part: Floats64, whole: Floats64) -> Floats64:
    """part / whole, and 0 for 0 / 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def _accuracy(rows: Classified) -> float:
    return float((rows.predicted == rows.labels).mean())


def _balanced_accuracy(rows: Classified) -> float:
    hits, _, actual = rows.counts()
    return float(_share(hits, actual).sum() / (actual > 0).sum())


def _precision(rows: Classified) -> Floats64:
    hits, given, _ = rows.counts()
    return _share(hits, given)


def _recall(rows: Classified) -> Floats64:
    hits, _, actual = rows.counts()
    return _share(hits, actual)


def _f1(rows: Classified) -> Floats64:
    hits, given, actual = rows.counts()
    return _share(2 * hits, given + actual)


PerClass = Callable[[Classified], Floats64]
_PER_CLASS: dict[str, PerClass] = {"precision": _precision, "recall": _recall, "f1": _f1}


def _macro(per_class: PerClass) -> Callable[[Classified], float]:
    """The mean over classes; one that is neither there nor predicted has no part in it."""

    def metric(rows: Classified) -> float:
        _, given, actual = rows.counts()
        return float(per_class(rows).sum() / (given + actual > 0).sum())

    return metric


def _binary_or_macro(per_class: PerClass) -> Callable[[Classified], float]:
    """Of the positive class of two, else the mean over classes."""

    def metric(rows: Classified) -> float:
        if rows.log_p.shape[1] == 2 and rows.positive is not None:
            return float(per_class(rows)[rows.positive])
        return _macro(per_class)(rows)

    return metric


def _auc(rows: Classified) -> float:
    """The area under the ROC curve, of more than two classes the mean of each against the rest; NaN without any."""
    columns = [1] if rows.log_p.shape[1] == 2 else range(rows.log_p.shape[1])
    areas = [_area(rows.log_p[:, c], rows.labels == c) for c in columns]
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else float("nan")


def _area(score: Floats64, positive: NDArray[np.bool_]) -> float:
    """How often a positive row is ranked above another, ties counting half; NaN when there is no pair."""
    n_positive, n = int(positive.sum()), len(score)
    pairs = n_positive * (n - n_positive)
    if not pairs:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place.reshape(-1)]  # of equals the middle, from 1
    return float((rank[positive].sum() - n_positive * (n_positive + 1) / 2) / pairs)


def _log_loss(rows: Classified) -> float:
    return float(-rows.log_p[np.arange(len(rows.labels)), rows.labels].mean())


CLASSIFICATION: dict[str, Callable[[Classified], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    **{name: _binary_or_macro(per_class) for name, per_class in _PER_CLASS.items()},
    **{f"{name}_macro": _macro(per_class) for name, per_class in _PER_CLASS.items()},
    # Every row has one class and is given one: what is missed in one class is a false alarm in another.
    **{f"{name}_micro": _accuracy for name in _PER_CLASS},
    "auc": _auc,
    "log_loss": _log_loss,
}


def _mse(y: Floats64, predicted: Floats64) -> float:
    return float(np.square(predicted - y).mean())


def _r2(y: Floats64, predicted: Floats64) -> float:
    """1 - squared error / squared deviation; without any deviation 1 for a perfect fit, else 0."""
    squares, deviation = np.square(predicted - y).sum(), np.square(y - y.mean()).sum()
    return float(1 - squares / deviation) if deviation > 0 else float(squares == 0)


REGRESSION: dict[str, Callable[[Floats64, Floats64], float]] = {
    "rmse": lambda y, predicted: float(np.sqrt(_mse(y, predicted))),
    "mse": _mse,
    "mae": lambda y, predicted: float(np.abs(predicted - y).mean()),
    "r2": _r2,
}
