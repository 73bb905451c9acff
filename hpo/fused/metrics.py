"""Metrics of many lanes at once, from sums gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpo.dataset import TargetScaling
from hpo.fused import facts
from hpo.fused.losses import Loss
from hpo.fused.outputs import Outputs
from hpo.fused.targets import Target

CLASSIFICATION = ("accuracy", "log_loss")
REGRESSION = ("rmse", "r2")


@dataclass(slots=True)
class Scale:
    """What a metric must know of the target besides the rows.

    n_classes: 0 for regression; positive: the class precision, recall and f1 are of with two classes,
    None for macro
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
        self.plain: Tensor | None = None  # the loss, unless that has weights or smoothing
        self.divisor: Tensor | int = 0
        self.y: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.scores: list[Tensor] = []
        n = scale.n_classes
        self._counts, self._ranks = n > 0 and bool(names & COUNTED), "auc" in names
        self._cells = torch.zeros(n_lanes, 2 * n, device=device, dtype=torch.float64)  # wrong, right
        self.actual = torch.zeros(n, device=device, dtype=torch.float64)

    def add(self, loss: Loss, p: Outputs, target: Target) -> None:
        """Add the rows of a pass."""
        own, plain = loss.per_row(p, target)
        self.rows += p.rows
        self.divisor = self.divisor + loss.divisor(target)
        if plain is not own:
            self._add_plain(plain.sum(1))
        self.loss += own.sum(1)
        predicted = loss.predict(p)
        if not self.scale.n_classes:
            self._add_regression(predicted, target)
            return
        right = predicted == target.labels
        self.correct += right.sum(1)
        if self._counts:
            self._count(predicted, right, target)
        if self._ranks:
            self.labels.append(target.labels.clone())
            self.scores.append(loss.scores(p))

    def absorb(self, other: Tally) -> None:
        """Add all that another tally of the same lanes has seen."""
        self.rows += other.rows
        self.divisor = self.divisor + other.divisor
        if other.plain is not None:
            self._add_plain(other.plain)
        for name in _SUMS:
            getattr(self, name).add_(getattr(other, name))
        self.y += other.y
        self.labels += other.labels
        self.scores += other.scores

    def _add_plain(self, plain: Tensor) -> None:
        self.plain = plain + (self._zeros if self.plain is None else self.plain)

    def _count(self, predicted: Tensor, right: Tensor, target: Target) -> None:
        ones = torch.ones((), dtype=torch.float64, device=right.device)
        cells = torch.add(predicted, right, alpha=self.scale.n_classes)
        self._cells.scatter_add_(1, cells, ones.expand_as(cells))
        self.actual.scatter_add_(0, target.labels, ones.expand_as(target.y))

    @property
    def hits(self) -> Tensor:
        """Rows of each class that were predicted to be of it, [K, C]."""
        return self._cells[:, self.scale.n_classes :]

    @property
    def predicted(self) -> Tensor:
        """Rows that were predicted to be of each class, [K, C]."""
        return self._cells[:, : self.scale.n_classes] + self.hits

    def _add_regression(self, predicted: Tensor, target: Target) -> None:
        y = self.scale.own_unit(target.y)
        off = self.scale.own_unit(predicted).sub_(y)
        self.y.append(y)
        self.absolute += off.abs().sum(1)
        self.squares += off.square_().sum(1)

    def mean_loss(self) -> Tensor:
        """The loss that is trained, over all rows: each counts by its weight."""
        return self.loss / self.divisor


Metric = Callable[[Tally], Tensor]


def _accuracy(t: Tally) -> Tensor:
    return t.correct / t.rows


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, and 0 for 0 / 0."""
    return torch.where(whole > 0, part / whole.clamp_min(1), 0.0)


# Of each class, [K, C].
_PER_CLASS: dict[str, Metric] = {
    "precision": lambda t: _share(t.hits, t.predicted),
    "recall": lambda t: _share(t.hits, t.actual),
    "f1": lambda t: _share(2 * t.hits, t.predicted + t.actual),
}


def _macro(per_class: Metric) -> Metric:
    """The mean over classes; as in scikit-learn, one that is neither there nor predicted has no part in it."""

    def metric(t: Tally) -> Tensor:
        return per_class(t).sum(1) / (t.predicted + t.actual > 0).sum(1)

    return metric


def _binary_or_macro(per_class: Metric) -> Metric:
    """Of the positive class of two, else the mean over classes."""

    def metric(t: Tally) -> Tensor:
        if t.scale.n_classes == 2 and t.scale.positive is not None:
            return per_class(t)[:, t.scale.positive]
        return _macro(per_class)(t)

    return metric


def _balanced_accuracy(t: Tally) -> Tensor:
    """The mean recall of the classes that are there."""
    return _PER_CLASS["recall"](t).sum(1) / (t.actual > 0).sum()


def _auc(t: Tally) -> Tensor:
    """The area under the ROC curve: of two classes' logits, else the mean over classes, each against the rest.

    A class that no row has, or every row, has no curve and no part in the mean; NaN when there is no other.
    """
    scores, labels = torch.cat(t.scores, 2), torch.cat(t.labels)
    columns = scores.shape[1]
    first = 1 if columns == 1 else 0
    areas = [_area(scores[:, c], labels == c + first) for c in range(columns)]
    return torch.stack(areas).nanmean(0)


def _area(scores: Tensor, positive: Tensor) -> Tensor:
    """How often a positive row is ranked above another, ties counting half. scores: [K, n]; positive: [n]."""
    # One whole number for each row, in the order of the scores, of equals the positive ones last.
    ordered = _sorted(_whole(scores) << 1 | positive)
    score, hit = ordered >> 1, ordered & 1
    miss = 1 - hit
    not_above = miss.cumsum(1)  # at a positive row: how many others are below it or tied
    new = torch.ones_like(hit, dtype=torch.bool)
    torch.ne(score[:, 1:], score[:, :-1], out=new[:, 1:])
    below = torch.where(new, not_above - miss, 0).cummax(1).values
    n_positive = positive.sum()
    pairs = n_positive * (len(positive) - n_positive)
    return (hit * (below + not_above)).sum(1) / (2 * pairs).double()  # 0 / 0 without any pair


def _whole(scores: Tensor) -> Tensor:
    """Whole numbers in the order of the scores, int64: the bits of a float have it, but for its sign."""
    bits = (scores.float() + 0.0).view(torch.int32)  # + 0.0 makes one zero of two
    return torch.where(bits >= 0, bits, bits ^ 0x7FFFFFFF).long()


def _sorted(numbers: Tensor) -> Tensor:
    """Each row [K, n] in ascending order; numpy sorts numbers twenty times faster than torch on a CPU."""
    if numbers.device.type == "cpu":
        return torch.from_numpy(np.sort(numbers.numpy(), axis=1))
    return numbers.sort(1).values


def _mse(t: Tally) -> Tensor:
    return t.squares / t.rows


def _r2(t: Tally) -> Tensor:
    """1 - squared error / squared deviation; without any deviation 1 for a perfect fit, else 0."""
    y = torch.cat(t.y)
    deviation = (y - y.mean()).square().sum()
    return torch.where(deviation > 0, 1 - t.squares / deviation, (t.squares == 0).double())


METRICS: dict[str, Metric] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    **{name: _binary_or_macro(per_class) for name, per_class in _PER_CLASS.items()},
    **{f"{name}_macro": _macro(per_class) for name, per_class in _PER_CLASS.items()},
    # Every row has one class and is given one: what is missed in one class is a false alarm in another.
    **{f"{name}_micro": _accuracy for name in _PER_CLASS},
    "auc": _auc,
    "log_loss": lambda t: (t.loss if t.plain is None else t.plain) / t.rows,
    "r2": _r2,
    "rmse": lambda t: _mse(t).sqrt(),
    "mse": _mse,
    "mae": lambda t: t.absolute / t.rows,
}
_SUMS = ("loss", "correct", "squares", "absolute", "_cells", "actual")
# Those that need hits and predictions counted by class.
COUNTED: set[str] = {"balanced_accuracy", *_PER_CLASS, *(f"{name}_macro" for name in _PER_CLASS)}


def curve_metrics(wanted: Iterable[str], n_classes: int) -> tuple[str, ...]:
    """The metrics of a trial's curve: the objective and others that are wanted, then those every trial of the kind has.

    >>> curve_metrics(["f1"], 3), curve_metrics(["rmse", "mae"], 0)
    (('f1', 'accuracy', 'log_loss'), ('rmse', 'mae', 'r2'))
    """
    return tuple(dict.fromkeys((*wanted, *(CLASSIFICATION if n_classes else REGRESSION))))


def curve_columns(wanted: Iterable[str], n_classes: int) -> tuple[str, ...]:
    """The columns of a trial's curve.

    >>> curve_columns(["accuracy"], 2)[:4]
    ('train_loss', 'train_accuracy', 'train_log_loss', 'validation_loss')
    """
    names = ("loss", *curve_metrics(wanted, n_classes))
    measured = tuple(f"{part}_{name}" for part in ("train", "validation") for name in names)
    return measured + facts.COLUMNS
