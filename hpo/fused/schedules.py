"""The learning rate over time: torch's schedulers as formulas of epoch and step, for many lanes at once.

A rate depends on a lane's settings and on the place in training alone, so a checkpoint needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.errors import lookup
from hpo.training import LaneSettings

Numbers = NDArray[np.float64]

# torch's defaults of OneCycleLR: the share of steps that the rate rises, from where, and where it ends
_RISE, _START, _END = 0.3, 25.0, 1e4


@dataclass(frozen=True, slots=True)
class Knobs:
    """The numbers of the lanes of one schedule, each [k].

    epochs, steps: of an epoch, after the warm-up; at least one epoch
    """

    rate: Numbers
    floor: Numbers
    decay: Numbers
    step_epochs: Numbers
    cycle_epochs: Numbers
    halves: NDArray[np.bool_]
    epochs: Numbers
    steps: int


# Rates from the knobs, the epoch [k] and the step [n, k], both counted from 0 after the warm-up:
# [n, k], or [k] where the rate is that of a whole epoch.
Schedule = Callable[[Knobs, Numbers, Numbers], Numbers]


def constant(k: Knobs, epoch: Numbers, step: Numbers) -> Numbers:
    """The learning rate itself."""
    return k.rate


def stepwise(k: Knobs, epoch: Numbers, step: Numbers) -> Numbers:
    """StepLR: times decay after every step_epochs."""
    rates: Numbers = k.rate * k.decay ** (epoch // k.step_epochs)
    return rates


def exponential(k: Knobs, epoch: Numbers, step: Numbers) -> Numbers:
    """ExponentialLR: times decay after every epoch."""
    rates: Numbers = k.rate * k.decay**epoch
    return rates


def cosine(k: Knobs, epoch: Numbers, step: Numbers) -> Numbers:
    """CosineAnnealingLR: half a cosine from the rate to its floor."""
    lowest = k.floor * k.rate
    rates: Numbers = lowest + (k.rate - lowest) * (1 + np.cos(np.pi * epoch / k.epochs)) / 2
    return rates


def cyclic(k: Knobs, epoch: Numbers, step: Numbers) -> Numbers:
    """CyclicLR: straight up from the floor to the rate and down again."""
    turns = step / (k.cycle_epochs * k.steps)
    cycle = np.floor(1 + turns)
    x = 1 + turns - cycle
    lowest = k.floor * k.rate
    height = (k.rate - lowest) * np.where(x <= 0.5, x / 0.5, (x - 1) / -0.5)
    rates: Numbers = lowest + height * np.where(k.halves, np.exp2(1 - cycle), 1.0)
    return rates


def one_cycle(k: Knobs, epoch: Numbers, step: Numbers) -> Numbers:
    """OneCycleLR: up to the rate by half a cosine, and down to nearly nothing by another."""
    total = k.epochs * k.steps
    top, end = _RISE * total - 1, total - 1
    rises = step <= top
    start = k.rate / _START
    away, to = np.where(rises, start, k.rate), np.where(rises, k.rate, start / _END)
    begin, close = np.where(rises, 0.0, top), np.where(rises, top, end)
    share = np.minimum((step - begin) / (close - begin), 1.0)
    rates: Numbers = to + (away - to) / 2 * (np.cos(np.pi * share) + 1)
    return rates


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": stepwise,
    "exponential": exponential,
    "cosine": cosine,
    "cyclic": cyclic,
    "one_cycle": one_cycle,
}


class Rates:
    """The learning rates of some lanes. Raises UnknownName."""

    def __init__(self, settings: Sequence[LaneSettings], steps_per_epoch: int) -> None:
        self._n_lanes, self._steps = len(settings), steps_per_epoch
        self._warmup = np.array([s.warmup_epochs for s in settings], dtype=np.float64)
        self._rate = np.array([s.learning_rate for s in settings], dtype=np.float64)
        places: dict[str, list[int]] = {}
        for place, s in enumerate(settings):
            places.setdefault(s.schedule, []).append(place)
        self._parts = [
            (
                lookup(SCHEDULES, name, "schedule"),
                where,
                _knobs([settings[i] for i in where], steps_per_epoch),
            )
            for name, where in places.items()
        ]

    def of_epoch(self, epoch: int) -> Numbers:
        """The rate of every step of an epoch (from 1), [n, k]."""
        step = np.arange(self._steps, dtype=np.float64)[:, None] + (epoch - 1) * self._steps  # [n, 1]
        rates = np.empty((self._steps, self._n_lanes))
        for schedule, where, knobs in self._parts:
            before = self._warmup[where]
            since = np.maximum(epoch - 1 - before, 0.0)
            rates[:, where] = schedule(knobs, since, np.maximum(step - before * self._steps, 0.0))
        warm = self._warmup * self._steps
        if (step[0] < warm).any():
            rising = self._rate * (step + 1) / np.maximum(warm, 1.0)
            rates = np.where(step < warm, rising, rates)
        return rates


def _knobs(settings: Sequence[LaneSettings], steps: int) -> Knobs:
    def numbers(value: Callable[[LaneSettings], float]) -> Numbers:
        return np.array([value(s) for s in settings], dtype=np.float64)

    return Knobs(
        rate=numbers(lambda s: s.learning_rate),
        floor=numbers(lambda s: s.rate_floor),
        decay=numbers(lambda s: s.decay),
        step_epochs=numbers(lambda s: s.step_epochs),
        cycle_epochs=numbers(lambda s: s.cycle_epochs),
        halves=np.array([s.cyclic_mode == "triangular2" for s in settings]),
        epochs=numbers(lambda s: max(s.epochs - s.warmup_epochs, 1)),
        steps=steps,
    )
