"""Metrics of many lanes at once, from sums gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo.dataset import TargetScaling
from hpo.fused import facts
from hpo.fused.losses import Target

CLASSIFICATION = ("accuracy", "log_loss")
REGRESSION = ("rmse", "r2")


_SUMS = ("loss", "correct", "squares", "absolute", "y_sum", "hits", "predicted", "actual")


@dataclass(slots=True)
class Scale:
    """What a metric must know of the target besides the rows.

    n_classes: 0 for regression; positive: the class f1 is of with two classes, None for macro
    """

    n_classes: int
    positive: int | None
    scaling: TargetScaling

    def own_unit(self, y: Tensor) -> Tensor:
        """Scaled targets or outputs back in the target's own unit, float64."""
        y = y.to(torch.float64, copy=True).mul_(self.scaling.scale).add_(self.scaling.mean)
        return y.expm1_() if self.scaling.kind == "log1p" else y


class Tally:
    """Sums over the rows seen, for each of K lanes, float64.

    names: the metrics that will be asked for; only what they need is gathered
    """

    def __init__(self, n_lanes: int, scale: Scale, names: Iterable[str], device: torch.device) -> None:
        names = set(names)
        self.scale, self.rows = scale, 0
        self._zeros = torch.zeros(n_lanes, device=device, dtype=torch.float64)
        self.loss, self.correct, self.squares, self.absolute = (self._zeros.clone() for _ in range(4))
        self.y_sum = torch.zeros((), device=device, dtype=torch.float64)
        self.y: list[Tensor] = []
        self._counts = "f1" in names and scale.n_classes > 0
        n = scale.n_classes
        self.hits, self.predicted = (
            torch.zeros(n_lanes, n, device=device, dtype=torch.float64) for _ in "hp"
        )
        self.actual = torch.zeros(n, device=device, dtype=torch.float64)

    def add(self, loss: Tensor, predicted: Tensor, target: Target) -> None:
        """Add some rows. loss, predicted: [K, B]; predicted: class numbers or outputs."""
        self.rows += loss.shape[1]
        self.loss += loss.sum(1)
        if not self.scale.n_classes:
            self._add_regression(predicted, target)
            return
        right = predicted == target.labels
        self.correct += right.sum(1)
        if self._counts:
            ones = torch.ones((), dtype=torch.float64, device=loss.device)
            self.predicted.scatter_add_(1, predicted, ones.expand_as(predicted))
            self.hits.scatter_add_(1, predicted, right.double())
            self.actual.scatter_add_(0, target.labels, ones.expand_as(target.y))

    def absorb(self, other: Tally) -> None:
        """Add all that another tally of the same lanes has seen."""
        self.rows += other.rows
        for name in _SUMS:
            getattr(self, name).add_(getattr(other, name))
        self.y += other.y

    def _add_regression(self, predicted: Tensor, target: Target) -> None:
        y = self.scale.own_unit(target.y)
        off = self.scale.own_unit(predicted).sub_(y)
        self.y.append(y)
        self.absolute += off.abs().sum(1)
        self.squares += off.square_().sum(1)


def _accuracy(t: Tally) -> Tensor:
    return t.correct / t.rows


def _loss(t: Tally) -> Tensor:
    return t.loss / t.rows


def _f1(t: Tally) -> Tensor:
    """2 hits / (predicted + actual), 0 where that is 0 / 0; of the positive class of two, else the mean.

    As in scikit-learn, a class that is neither there nor predicted has no part in the mean.
    """
    both = t.predicted + t.actual
    f1 = torch.where(both > 0, 2 * t.hits / both.clamp_min(1), 0.0)
    if t.scale.n_classes == 2 and t.scale.positive is not None:
        return f1[:, t.scale.positive]
    return f1.sum(1) / (both > 0).sum(1)


def _mse(t: Tally) -> Tensor:
    return t.squares / t.rows


def _r2(t: Tally) -> Tensor:
    """1 - squared error / squared deviation; without any deviation 1 for a perfect fit, else 0."""
    y = torch.cat(t.y)
    deviation = (y - y.mean()).square().sum()
    return torch.where(deviation > 0, 1 - t.squares / deviation, (t.squares == 0).double())


METRICS: dict[str, Callable[[Tally], Tensor]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "log_loss": _loss,
    "r2": _r2,
    "rmse": lambda t: _mse(t).sqrt(),
    "mse": _mse,
    "mae": lambda t: t.absolute / t.rows,
}


def curve_metrics(objective: str, n_classes: int) -> tuple[str, ...]:
    """The metrics of a trial's curve: the objective, then those every trial of the kind has.

    >>> curve_metrics("f1", 3), curve_metrics("rmse", 0)
    (('f1', 'accuracy', 'log_loss'), ('rmse', 'r2'))
    """
    return tuple(dict.fromkeys((objective, *(CLASSIFICATION if n_classes else REGRESSION))))


def curve_columns(objective: str, n_classes: int) -> tuple[str, ...]:
    """The columns of a trial's curve.

    >>> curve_columns("accuracy", 2)[:4]
    ('train_loss', 'train_accuracy', 'train_log_loss', 'validation_loss')
    """
    names = ("loss", *curve_metrics(objective, n_classes))
    measured = tuple(f"{part}_{name}" for part in ("train", "validation") for name in names)
    return measured + facts.COLUMNS
