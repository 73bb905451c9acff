"""How one trial learned: its curve and facts boiled down to the numbers that illnesses are judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hpo.hyperparams import HYPERPARAMETERS
from hpo.space import Value
from hpo.trial import Curve, Trial

FEWEST_EPOCHS = 4  # of fewer a loss has no halves to compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A trial that has ended, its curve if it has one, and its settings, searched and fixed.

    elsewhere: whether another program trained it, whose settings may have any names and no defaults
    """

    trial: Trial
    curve: Curve | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)
    elsewhere: bool = False

    def setting(self, name: str) -> Value:
        """The value of a hyperparameter, by its default where the study is silent."""
        return self.settings.get(name, HYPERPARAMETERS[name].default)


@dataclass(frozen=True, slots=True)
class Learning:
    """Losses of the epochs, training and validation, finite ones only, and the loss of the best constant answer."""

    train: Sequence[float]
    validation: Sequence[float]
    chance: float

    @property
    def learned(self) -> float:
        """The share of the chance loss that training took away: 1 is perfect, 0 a constant answer, negative worse."""
        return 1 - min(self.train) / self.chance

    @property
    def rises(self) -> float:
        """The share of epochs in which the loss rose, of training or validation, where it rose less.

        Dropout makes a training loss jump that falls; few rows a validation loss.
        """
        return min(_rises(losses) for losses in (self.train, self.validation) if len(losses) > 1)

    @property
    def jump(self) -> float:
        """The mean rise of the training loss in epochs in which it rose, as a share of chance; 0 without any."""
        ups = [b - a for a, b in pairwise(self.train) if b > a]
        return math.fsum(ups) / len(ups) / self.chance if ups else 0.0

    @property
    def late(self) -> float:
        """The share of the fall of the training loss that came in the second half; 0 where it did not fall."""
        return _late(self.train, len(self.train) // 2)

    @property
    def last_quarter(self) -> float:
        """The share of the fall of the validation loss that came in the last quarter of the epochs."""
        return _late(self.validation, len(self.validation) * 3 // 4)

    @property
    def gap(self) -> float:
        """How far the validation loss ended above the training loss, as a share of chance."""
        return (self.validation[-1] - self.train[-1]) / self.chance

    @property
    def rise(self) -> float:
        """How far the validation loss ended above its least, as a share of chance."""
        return (self.validation[-1] - min(self.validation)) / self.chance

    @property
    def fall_since(self) -> float:
        """How far the training loss fell after the epoch of the least validation loss, as a share of chance."""
        least = self.validation.index(min(self.validation))
        return (self.train[min(least, len(self.train) - 1)] - self.train[-1]) / self.chance


def learning_of(observed: Observed) -> Learning | None:
    """How it learned; None where too little was measured to say."""
    curve, chance = observed.curve, observed.trial.facts.get("chance_loss")
    if curve is None or chance is None or chance <= 0:
        return None
    if not {"train_loss", "validation_loss"} <= set(curve.columns):
        return None
    train, validation = (
        [x for x in curve.column(name) if math.isfinite(x)] for name in ("train_loss", "validation_loss")
    )
    if min(len(train), len(validation)) < FEWEST_EPOCHS:
        return None
    return Learning(train, validation, chance)


def why_unseen(trial: Trial, *, elsewhere: bool) -> str:
    """Why it cannot be told how a trial learned, whatever it learned."""
    if not trial.state.finished:
        return "it has not ended"
    if elsewhere:
        return "another program trained it, and kept its losses for itself"
    if not trial.epochs:
        return "it ended before an epoch was over"
    return "its losses were not kept"


def _rises(losses: Sequence[float]) -> float:
    return sum(b > a for a, b in pairwise(losses)) / (len(losses) - 1)


def _late(losses: Sequence[float], place: int) -> float:
    fall = losses[0] - losses[-1]
    return (losses[place] - losses[-1]) / fall if fall > 0 else 0.0
