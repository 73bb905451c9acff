"""What is noted of lanes while they train, so that a bad one can be explained: gradients, units, first loss.

`trial.FACTS` says what each fact is. All are of one lane alone, sampled at fixed places: gradients at the
last full batch of an epoch, units in the pass over the validation rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.fused.clipping import norms_of
from hpo.fused.targets import balanced_weights
from hpo.training import LaneSettings

# The facts of an epoch, as columns of a trial's curve.
COLUMNS = ("gradient_first", "gradient_last", "dead_units", "saturated_units")

# Only relu's slope is 0 below 0: a unit of its kin that is never above 0 still learns.
DIES = frozenset({"relu"})
# Where a unit's slope is nearly 0: its value lies further than this from the middle. (middle, distance)
SATURATES: dict[str, tuple[float, float]] = {"tanh": (0.0, 0.99), "sigmoid": (0.5, 0.49)}


class Watch:
    """Notes the facts of one epoch after another, of K lanes, in memory that stays where it is.

    first: [K], the loss of the epoch's first batch, written by others
    hidden: widths as tensors have them; a lane's own may be smaller, and units beyond them do not count
    """

    def __init__(self, settings: Sequence[LaneSettings], hidden: Sequence[int], device: torch.device) -> None:
        self.first = torch.zeros(len(settings), device=device, dtype=torch.float64)
        self._norms = torch.zeros(len(settings), 2, device=device)
        self._runs: list[tuple[str, slice]] = []  # neighbours of one activation, if there is anything to note
        at = 0
        for name, members in groupby(settings, key=lambda s: s.activation):
            n = len(list(members))
            if name in DIES or name in SATURATES:
                self._runs.append((name, slice(at, at + n)))
            at += n
        # Of each unit the sum of its values (never negative where it may die), or how often it was saturated,
        # [K, H] for each layer.
        self._seen = [torch.zeros(len(settings), width, device=device) for width in hidden]
        # Whether a unit is the lane's own, [K, all H].
        widths = torch.tensor([s.hidden for s in settings]).view(len(settings), len(hidden))
        own = [torch.arange(width) < widths[:, layer : layer + 1] for layer, width in enumerate(hidden)]
        self._own = torch.cat(own, 1).to(device).double() if own else widths

    def gradients_(self, first: Tensor, last: Tensor) -> None:
        """Note the norms of two layers' gradients, [K, out, in]."""
        self._norms.copy_(norms_of((first, last)))

    def begin_(self) -> None:
        """A pass over the validation rows begins."""
        for seen in self._seen:
            seen.zero_()

    def units_(self, layers: Sequence[Tensor]) -> None:
        """Note the activations of every hidden layer for some validation rows, [K, B, H]."""
        for h, seen in zip(layers, self._seen, strict=True):
            for name, part in self._runs:
                if name in DIES:
                    seen[part] += h[part].sum(1)
                else:
                    middle, distance = SATURATES[name]
                    off = (h[part] - middle).abs_() if middle else h[part].abs()
                    seen[part] += torch.gt(off, distance, out=off).sum(1)

    def columns(self, n_rows: int) -> Tensor:
        """The facts of the epoch, [K, 4] float64, NaN where there is none; n_rows: of the validation pass."""
        norms = self._norms.double()
        units = torch.full_like(norms, math.nan)
        for name, part in self._runs if self._seen and n_rows else ():
            dies = name in DIES
            shares = [(seen[part] <= 0).double() if dies else seen[part] / n_rows for seen in self._seen]
            own = self._own[part]
            units[part, 0 if dies else 1] = (torch.cat(shares, 1) * own).sum(1) / own.sum(1)
        return torch.cat([norms, units], 1)


def levels(
    loss: str, y: Tensor, settings: LaneSettings, *, n_classes: int, balanced: bool
) -> tuple[float, float]:
    """What outputs of zero cost on targets y [n], and what the best constant answer does."""
    if n_classes:
        return _of_classes(loss, y.long(), n_classes, settings.label_smoothing, balanced)
    (cost, best), y, delta = _REGRESSION[loss], y.double(), settings.huber_delta
    return float(cost(y, delta)), float(cost(y - best(y, delta), delta))


def _of_classes(
    loss: str, labels: Tensor, n_classes: int, smoothing: float, balanced: bool
) -> tuple[float, float]:
    """The same for classes, from what each class's -log p counts in the mean loss.

    torch weighs the smoothed part of cross-entropy by class, and so do we; that of one logit by row.
    """
    shares = torch.bincount(labels, minlength=n_classes).double() / len(labels)
    smooth = torch.ones(n_classes, dtype=torch.float64)
    if balanced:
        weights = balanced_weights(labels, n_classes).cpu()
        shares = shares * weights
        smooth = weights if loss == "cross_entropy" else smooth
    counts = (1 - smoothing) * shares + smoothing / n_classes * smooth
    total = float(counts.sum())
    return total * math.log(n_classes), float(-torch.xlogy(counts, counts / total).sum())


def _huber(off: Tensor, delta: float) -> Tensor:
    return F.huber_loss(off, torch.zeros_like(off), delta=delta)


def _huber_middle(y: Tensor, delta: float) -> float:
    """The constant with the least huber loss, between median and mean: where the clipped errors balance."""
    low, high = sorted((float(y.median()), float(y.mean())))
    low, high = low - delta, high + delta
    for _ in range(60):
        middle = (low + high) / 2
        above = float((y - middle).clamp(-delta, delta).sum()) > 0
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2


# Of each loss the mean cost of errors, and the best constant.
_REGRESSION: dict[str, tuple[Callable[[Tensor, float], Tensor], Callable[[Tensor, float], float]]] = {
    "mse": (lambda off, _: off.square().mean(), lambda y, _: float(y.mean())),
    "mae": (lambda off, _: off.abs().mean(), lambda y, _: float(y.median())),
    "huber": (_huber, _huber_middle),
}


def summary(
    columns: Sequence[str], block: Sequence[float], start: Mapping[str, float]
) -> dict[str, float | None]:
    """The facts of a trial that has ended, by the names of `trial.FACTS`; empty before its first epoch.

    start: what was known after the first batch; of the curve's facts the last that are numbers count
    """
    if not start:
        return {}
    found: dict[str, float | None] = {name: _finite(value) for name, value in start.items()}
    losses = [x for x in block[columns.index("train_loss") :: len(columns)] if math.isfinite(x)]
    rises = sum(b > a for a, b in pairwise(losses))
    found["oscillation"] = rises / (len(losses) - 1) if len(losses) > 1 else None
    for name in COLUMNS:
        finite = [x for x in block[columns.index(name) :: len(columns)] if math.isfinite(x)]
        found[name] = finite[-1] if finite else None
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
