"""Checks before a search: does the network begin at chance, can it memorise a few rows, which learning rates train it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.cohort import CohortTask, EpochResult, LaneTask
from hpo.dataset import Rows, Task, TrainingData
from hpo.fused.trainer import Trainer
from hpo.study import METRICS
from hpo.training import NEVER, LaneSettings, SharedSettings
from hpo.trial import TrialResult

FEW_ROWS = 20
MEMORY_STEPS = 1000  # in which the few rows must be memorised
GOALS = {Task.CLASSIFICATION: ("accuracy", 1.0), Task.REGRESSION: ("r2", 0.99)}
MEMORY_RATES = tuple(10.0 ** (place / 2) for place in range(-8, 3))  # 1e-4 .. 10

RATES = tuple(10.0 ** (place / 4) for place in range(-24, 5))  # 1e-6 .. 10, four to a decade
STILL = 1e-30  # a rate that moves nothing
RATE_STEPS = 120
ROWS_LOOKED_AT = 1000
LEAST_FALL = 0.02  # share of the loss it begins with; less is noise

# A network that begins with more than this times the loss of outputs of zero begins with outputs that are too large.
LARGEST_START = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorised:
    """Whether a few training rows were learned by heart, without regularisation.

    value: the best of all rates tried, of metric; learning_rate: the one that needed the fewest steps, or
    the trial's own if that made it; None when none did
    conflicts: rows that have the inputs of another one and a different target
    """

    metric: str
    goal: float
    value: float | None
    n_rows: int
    steps: int
    learning_rate: float | None
    own_rate: float
    conflicts: int

    @property
    def passed(self) -> bool:
        """Whether any rate made it."""
        return self.learning_rate is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The loss before any step beside that of outputs of zero and that of the best constant answer."""

    initial: float | None
    untrained: float
    chance: float

    @property
    def passed(self) -> bool:
        """Whether the first outputs are not far too large."""
        return self.initial is not None and self.initial <= LARGEST_START * self.untrained


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTest:
    """What a short training makes of each learning rate.

    losses: on training rows after `steps` steps, None where it diverged
    start: from where a fall counts: the loss before any step, or that of chance where it is less
    best: the rate among the least losses; steepest: near which the loss falls fastest as the rate grows
    edge: the lowest rate above the best one with which it diverges, or comes less than half as far
    low, high: a range to search in. All None when the loss falls at no rate
    """

    rates: tuple[float, ...]
    losses: tuple[float | None, ...]
    start: float
    steps: int
    best: float | None = None
    steepest: float | None = None
    edge: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def passed(self) -> bool:
        """Whether there is a rate to recommend."""
        return self.best is not None


def few_rows(rows: Rows, n_classes: int, *, seed: int, n: int = FEW_ROWS) -> Rows:
    """A few training rows, of all classes in turn; at least one of each."""
    order = np.random.default_rng(seed).permutation(len(rows.y))
    if n_classes:
        labels, turn = rows.y[order].astype(int), np.empty(len(order), dtype=int)
        for label in range(n_classes):
            mine = np.flatnonzero(labels == label)
            turn[mine] = np.arange(len(mine))
        order = order[np.argsort(turn, kind="stable")]
    return _taken(rows, order[: max(n, n_classes)])


def _taken(rows: Rows, places: NDArray[np.int64]) -> Rows:
    return Rows(x=np.ascontiguousarray(rows.x[places]), y=np.ascontiguousarray(rows.y[places]))


def conflicts(rows: Rows) -> int:
    """Rows that have the inputs of another row and a different target: no network can learn both."""
    targets: dict[bytes, set[float]] = {}
    for x, y in zip(rows.x, rows.y.tolist(), strict=True):
        targets.setdefault(x.tobytes(), set()).add(y)
    return sum(len(targets[x.tobytes()]) > 1 for x in rows.x)


def memorise(
    shared: SharedSettings, settings: LaneSettings, data: TrainingData, *, seed: int = 0, device: str = "cpu"
) -> Memorised:
    """Train on a few rows at several rates at once, until the trial's own makes it or the steps are over."""
    tiny = few_rows(data.folds[0][0], data.n_classes, seed=seed)
    metric, goal = GOALS[data.task]
    rates = (settings.learning_rate, *MEMORY_RATES)
    bare = replace(
        settings, dropout=0.0, input_dropout=0.0, l1=0.0, l2=0.0, weight_decay=0.0, label_smoothing=0.0
    )  # fmt: skip
    task = _task(
        replace(shared, batch_size=len(tiny.y), class_weight="none"),
        [_steady(replace(bare, learning_rate=rate), MEMORY_STEPS) for rate in rates],
        metric,
        seed,
    )
    made: dict[int, int] = {}
    best, steps = -math.inf, 0

    def report(result: EpochResult) -> Sequence[bool]:
        nonlocal best, steps
        steps = result.epoch
        for number, value in zip(result.numbers, result.values, strict=True):
            best = max(best, value) if math.isfinite(value) else best
            if value >= goal:
                made.setdefault(number, result.epoch)
        return [number not in made and 0 not in made for number in result.numbers]

    Trainer(task, _only(data, tiny, tiny), device=device).run(report)
    first = min(made, key=lambda number: (number != 0, made[number], number), default=None)
    return Memorised(
        metric=metric,
        goal=goal,
        value=best if math.isfinite(best) else None,
        n_rows=len(tiny.y),
        steps=steps if first is None else made[first],
        learning_rate=None if first is None else rates[first],
        own_rate=settings.learning_rate,
        conflicts=conflicts(tiny),
    )


def try_rates(
    shared: SharedSettings,
    settings: LaneSettings,
    data: TrainingData,
    *,
    seed: int = 0,
    device: str = "cpu",
    rates: Sequence[float] = RATES,
) -> tuple[Start, RateTest]:
    """Train one lane for each rate for a short time, all from the same weights; read off where to search."""
    rows = data.folds[0][0]
    order = np.random.default_rng(seed).permutation(len(rows.y))[: RATE_STEPS * shared.batch_size]
    some = _taken(rows, order)
    steps = -(-len(order) // shared.batch_size)
    epochs = max(1, -(-RATE_STEPS // steps))
    lanes = [_steady(replace(settings, learning_rate=rate), epochs) for rate in (*rates, STILL)]
    ended: dict[int, TrialResult] = {}

    def report(result: EpochResult) -> None:
        ended.update({trial.number: trial for trial in result.ended})

    metric, _ = GOALS[data.task]
    seen = _only(data, some, _taken(some, np.arange(min(len(some.y), ROWS_LOOKED_AT))))
    Trainer(_task(shared, lanes, metric, seed), seen, device=device).run(report)
    *losses, initial = (_last_loss(ended[number]) for number in range(len(lanes)))
    facts = ended[0].facts
    untrained, chance = facts["untrained_loss"] or 0.0, facts["chance_loss"] or 0.0
    begin = chance if initial is None else min(initial, chance)
    test = read_rates(rates, losses, start=begin, steps=steps * epochs)
    return Start(initial=initial, untrained=untrained, chance=chance), test


def _last_loss(trial: TrialResult) -> float | None:
    if trial.curve is None:
        return None
    loss = trial.curve.column("validation_loss")[-1]
    return loss if math.isfinite(loss) else None


def read_rates(
    rates: Sequence[float], losses: Sequence[float | None], *, start: float, steps: int
) -> RateTest:
    """What a curve of losses by ascending rate says.

    A rate is judged by the worst of it and its neighbours, since a lucky one is of no use to a search. The
    range begins three times below the lowest rate that came at least half as far as the best, since a longer
    training makes do with smaller steps, and ends where the fall is still within a tenth of the best.
    """
    test = RateTest(rates=tuple(rates), losses=tuple(losses), start=start, steps=steps)
    falls = [-math.inf if loss is None else start - loss for loss in losses]
    best = max(range(len(rates)), key=lambda place: min(falls[max(0, place - 1) : place + 2]))
    if falls[best] < LEAST_FALL * abs(start):
        return test
    low = high = best
    while low > 0 and falls[low - 1] >= falls[best] * 0.5:
        low -= 1
    while high + 1 < len(rates) and falls[high + 1] >= falls[best] * 0.9:
        high += 1
    gains = [falls[place + 1] - falls[place] for place in range(best)]
    steepest = max(range(best), key=lambda place: gains[place], default=best)
    above = zip(rates[best:], falls[best:], strict=True)
    return replace(
        test,
        best=rates[best],
        steepest=math.sqrt(rates[steepest] * rates[min(steepest + 1, best)]),
        edge=next((rate for rate, fall in above if fall < falls[best] * 0.5), None),
        low=_rounded(rates[low] / 3, math.floor),
        high=_rounded(rates[high], math.floor if high > best else math.ceil),
    )


def _rounded(value: float, way: Callable[[float], int]) -> float:
    """A number with one digit.

    >>> _rounded(0.00178, math.floor), _rounded(0.00178, math.ceil), _rounded(0.01, math.ceil)
    (0.001, 0.002, 0.01)
    """
    exponent = math.floor(math.log10(value) + 1e-9)
    return float(f"{way(round(value / 10**exponent, 6))}e{exponent}")


def _steady(settings: LaneSettings, epochs: int) -> LaneSettings:
    """The settings with one learning rate throughout and no early end."""
    return replace(settings, schedule="constant", warmup_epochs=0, epochs=epochs, patience=NEVER)


def _only(data: TrainingData, training: Rows, validation: Rows) -> TrainingData:
    return replace(data, folds=((training, validation),), target_scalings=data.target_scalings[:1])


def _task(shared: SharedSettings, lanes: Sequence[LaneSettings], metric: str, seed: int) -> CohortTask:
    """A cohort of these lanes, that nobody stores."""
    return CohortTask(
        id=0,
        attempt=0,
        data="",
        shared=shared,
        lanes=tuple(
            LaneTask(number=number, repeat=0, fold=0, settings=settings)
            for number, settings in enumerate(lanes)
        ),
        seed=seed,
        metric=metric,
        direction=METRICS[metric],
    )
