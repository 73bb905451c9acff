"""A trial: planned, running, finished."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from hpo.space import Params
from hpo.states import TrialState

# What is noted of a trial while it trains, so that a bad one can be explained; mean over its lanes, None where
# it does not apply. The last four stand in its curve too, as they were after each epoch.
FACTS: dict[str, str] = {
    "initial_loss": "loss of the first batch, before any step",
    "untrained_loss": "loss of outputs that are all zero, near which a sound network begins: ln C for C classes",
    "chance_loss": "loss of the best constant answer: for classes the entropy of their frequencies, for mse the variance",
    "oscillation": "share of epochs, from the second on, in which the training loss rose",
    "gradient_first": "norm of the gradient of the first layer's weights, at the last full batch",
    "gradient_last": "the same of the last layer's weights",
    "dead_units": "share of relu units that are 0 on every validation row",
    "saturated_units": "share of values of tanh beyond 0.99 either way, of sigmoid below 0.01 or above 0.99",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """A trial to come: its number and the values of its active searched parameters.

    epochs: at most so many, where a sampler wants fewer than the study file says
    queued: the id of the Queued it was taken from; None for a sampler's own
    """

    number: int
    params: Params
    retry_of: int | None = None
    epochs: int | None = None
    queued: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A setting that waits for the next free number: enqueued by the user, or a failed trial's once more."""

    id: int
    params: Params
    retry_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """After an epoch a trial went on from another one's weights, with params of its own from then on."""

    epoch: int
    source: int
    params: Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """What was measured after each epoch of a trial, mean over its lanes. Curves are equal to the bit.

    columns: names, such as train_loss, train_accuracy, validation_loss, validation_accuracy
    block: [epochs * columns] float32, one epoch after another; NaN where there is nothing to measure
    """

    columns: tuple[str, ...]
    block: array[float]

    def __eq__(self, other: object) -> bool:
        """NaN equals NaN, which it would not by ==."""
        if not isinstance(other, Curve):
            return NotImplemented
        return self.columns == other.columns and self.block.tobytes() == other.block.tobytes()

    def __hash__(self) -> int:
        return hash((self.columns, self.block.tobytes()))

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
    facts: Mapping[str, float | None] = field(default_factory=dict)  # by the names of FACTS
    values: tuple[float, ...] = ()  # of several objectives; value is None then
    feasible: bool = True  # whether what it became meets the study's constraints
    lineage: tuple[Inheritance, ...] = ()

    @property
    def first(self) -> float | None:
        """Its value in the first objective, or the only one."""
        return self.values[0] if self.values else self.value


class Trial(NamedTuple):
    """A trial as the database has it. Thousands are made at a time, a tuple in a fifth of a data class's time.

    budget: the epochs its plan gave it, where they were fewer than the study file's; sampled: whether a
    sampler proposed it, rather than a user; place: of a finished one among the study's finished trials, in
    the order in which they finished, from 1 without gaps
    """

    number: int
    state: TrialState
    params: Params
    reason: str | None = None
    value: float | None = None
    stderr: float | None = None
    epochs: int = 0
    best_epoch: int | None = None
    retry_of: int | None = None
    cohort: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    facts: Mapping[str, float | None] = {}  # nobody writes to a Mapping
    values: tuple[float, ...] = ()
    feasible: bool = True
    lineage: tuple[Inheritance, ...] = ()
    budget: int | None = None
    sampled: bool = True
    place: int | None = None

    @property
    def first(self) -> float | None:
        """Its value in the first objective, or the only one."""
        return self.values[0] if self.values else self.value
