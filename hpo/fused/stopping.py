"""How a trial goes: its curve, its best epoch, when it ends and as what."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from hpo.fused import facts
from hpo.states import Reason, TrialState
from hpo.study import Direction
from hpo.training import LaneSettings
from hpo.trial import Curve, TrialResult

MAX_STEPS = 20


@dataclass(slots=True, kw_only=True)
class Progress:
    """One trial while it trains. All is decided on the mean over its lanes.

    values: the objective after each epoch; block: the curve's rows, one after another
    best_epoch: the first with the best value, 0 before any finite one; stderr: at that epoch
    mark: the value from which early stopping measures min_delta, and when it was seen
    start: the facts that are known after the first batch
    until: see CohortTask; such a trial has no values, only epochs
    seconds: its share of the time its cohort has trained, where that is asked for
    """

    number: int
    settings: LaneSettings
    direction: Direction
    columns: tuple[str, ...]
    until: int | None = None
    values: list[float] = field(default_factory=list)
    block: array[float] = field(default_factory=lambda: array("f"))
    best_epoch: int = 0
    best: float = math.nan
    stderr: float | None = None
    mark: float = math.nan
    mark_epoch: int = 0
    start: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    best_settings: LaneSettings | None = None  # those it had in its best epoch; a copy changes settings

    @property
    def epoch(self) -> int:
        """Epochs trained."""
        return len(self.values)

    def record(self, rows: Sequence[Sequence[float]], values: Sequence[float]) -> bool:
        """Take an epoch; whether it is the best so far. rows: curve columns of each lane; values: their objective.

        Rows and values of a lane that diverged are NaN.
        """
        if len(rows) == 1:  # as most trials; with a thousand tiny networks these lines are half of all work
            mean = values[0] if math.isfinite(values[0]) else math.nan
            self.block.extend(rows[0])
        else:
            mean = math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
            self.block.extend(_mean(column) for column in zip(*rows, strict=True))
        self.values.append(mean)
        if self.until is not None:
            self.best, self.best_epoch, self.best_settings = mean, self.epoch, self.settings
            self.stderr = stderr_of(values) if math.isfinite(mean) else None
            return True
        if not math.isfinite(mean):
            return False
        sign = self.direction.sign
        if self.mark_epoch == 0 or sign * mean < sign * self.mark - self.settings.min_delta:
            self.mark, self.mark_epoch = mean, self.epoch
        if self.best_epoch and sign * mean >= sign * self.best:
            return False
        self.best, self.best_epoch, self.stderr = mean, self.epoch, stderr_of(values)
        self.best_settings = self.settings
        return True

    def ended(self) -> TrialResult | None:
        """How the trial ends after this epoch by itself: stopped early, or all epochs trained."""
        last = self.epoch >= (self.until or self.settings.epochs)
        if self.until is None and self.epoch - self.mark_epoch >= self.settings.patience and not last:
            return self._complete(Reason.STOPPED_EARLY.at(self.epoch))
        return self._complete(None) if last else None

    def _complete(self, reason: str | None) -> TrialResult:
        if not self.best_epoch:  # never a finite value: there is nothing to be COMPLETE with
            return self.result(TrialState.FAIL, Reason.DIVERGED.at(self.epoch))
        return self.result(
            TrialState.COMPLETE, reason, value=self.best, stderr=self.stderr, best_epoch=self.best_epoch
        )

    def diverged(self, on_diverged: str) -> TrialResult:
        """A loss or weight was no finite number in this epoch: FAIL, or COMPLETE with the worst value seen.

        The epoch in which it happened is recorded and its value is not a candidate for the worst.
        """
        reason, sign = Reason.DIVERGED.at(self.epoch), self.direction.sign
        seen = [(value, at) for at, value in enumerate(self.values[:-1], 1) if math.isfinite(value)]
        if on_diverged != "worst" or not seen:
            return self.result(TrialState.FAIL, reason)
        value, at = max(seen, key=lambda pair: (sign * pair[0], -pair[1]))
        return self.result(TrialState.COMPLETE, reason, value=value, best_epoch=at)

    def pruned(self) -> TrialResult:
        """A pruner's mask ended it; its value is its best so far. Who pruned names the reason."""
        return self.result(
            TrialState.PRUNED,
            f"pruned@{self.epoch}",
            value=self.best if self.best_epoch else None,
            stderr=self.stderr,
            best_epoch=self.best_epoch or None,
        )

    def result(
        self,
        state: TrialState,
        reason: str | None,
        *,
        value: float | None = None,
        stderr: float | None = None,
        best_epoch: int | None = None,
    ) -> TrialResult:
        """The record of an ended trial."""
        return TrialResult(
            number=self.number,
            state=state,
            reason=reason,
            value=value,
            stderr=stderr,
            best_epoch=best_epoch,
            epochs=self.epoch,
            curve=Curve(columns=self.columns, block=self.block),
            steps=thin(self.values),
            facts=facts.summary(self.columns, self.block, self.start),
        )


def _mean(column: Sequence[float]) -> float:
    """The mean as values have it, to the last bit: trials are judged now by the one and later by the other."""
    total = sum(column)
    return (math.fsum(column) if math.isfinite(total) else total) / len(column)


def thin(values: Sequence[float]) -> dict[int, float]:
    """At most 20 of a curve's points by epoch, evenly spread, the first and last among them.

    >>> list(thin([0.5] * 100))[:3], list(thin([0.5, 0.6]))
    ([1, 6, 11], [1, 2])
    """
    n = len(values)
    if n <= MAX_STEPS:
        return dict(enumerate(values, 1))
    picked = [1 + round(i * (n - 1) / (MAX_STEPS - 1)) for i in range(MAX_STEPS)]
    return {epoch: values[epoch - 1] for epoch in picked}


def stderr_of(values: Sequence[float]) -> float | None:
    """The sample standard deviation over lanes, divided by the root of their number; None for one lane."""
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
