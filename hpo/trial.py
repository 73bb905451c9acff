"""A trial: planned, running, finished."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hpo.space import Params
from hpo.states import TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """A trial to come: its number and the values of its active searched parameters."""

    number: int
    params: Params
    retry_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What was measured after each epoch of a trial, mean over its lanes.

    columns: names, such as train_loss, train_accuracy, validation_loss, validation_accuracy
    block: [epochs * columns] float32, one epoch after another
    """

    columns: tuple[str, ...]
    block: array[float]

    @property
    def n_epochs(self) -> int:
        """Rows of the block."""
        return len(self.block) // len(self.columns) if self.columns else 0

    def column(self, name: str) -> list[float]:
        """One column, an entry per epoch."""
        return list(self.block[self.columns.index(name) :: len(self.columns)])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """How a trial ended. value is the mean over lanes at best_epoch (epochs count from 1)."""

    number: int
    state: TrialState
    reason: str | None = None
    value: float | None = None
    stderr: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    curve: Curve | None = None
    steps: Mapping[int, float] = field(default_factory=dict)  # at most 20, for Optuna's table


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial as the database has it."""

    number: int
    state: TrialState
    reason: str | None
    value: float | None
    stderr: float | None
    params: Params
    epochs: int
    best_epoch: int | None
    retry_of: int | None
    cohort: int | None
    started_at: datetime | None
    finished_at: datetime | None
