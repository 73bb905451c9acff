"""A study: what the user submits (StudySpec) and what becomes of it (Study)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hpo.errors import SpecError
from hpo.space import Params, SearchSpace, Value
from hpo.states import AT_REST, StudyState, TrialState, Wanted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MLP = "mlp"
EXTERNAL = "external"  # trials are trained by programs that ask for them and tell what came of it
TRAINERS = (MLP, EXTERNAL)
MAX_TRIALS = 10_000_000
MAX_EPOCHS = 100_000
MAX_REPEATS = 100
MAX_FOLDS = 50


class Direction(StrEnum):
    """Whether a small or a large value is good."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    @property
    def sign(self) -> int:
        """1 when small is good, -1 when large is good: sign * value is always to be made small."""
        return 1 if self is Direction.MINIMIZE else -1


# Every metric and the direction it is good in.
CLASSIFICATION_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "precision_micro",
    "recall_micro",
    "f1_micro",
    "auc",
    "log_loss",
)
REGRESSION_METRICS = ("rmse", "mse", "mae", "r2")
_MADE_SMALL = ("log_loss", "rmse", "mse", "mae")
METRICS: dict[str, Direction] = {
    name: Direction.MINIMIZE if name in _MADE_SMALL else Direction.MAXIMIZE
    for name in (*CLASSIFICATION_METRICS, *REGRESSION_METRICS)
}
# What a trial costs says nothing of how good it is: an objective only beside a metric.
COSTS: dict[str, Direction] = {
    "n_parameters": Direction.MINIMIZE,
    "epochs": Direction.MINIMIZE,
    "train_seconds": Direction.MINIMIZE,
}


def check_name(name: str) -> None:
    """Raises SpecError unless a study may be called that."""
    if not NAME.fullmatch(name):
        raise SpecError(
            f"must be 1 to 64 letters, digits, dots, dashes or underscores beginning with a letter or digit, got {name!r}",
            field="name",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSpec:
    """How rows are divided; None means not given, see 8-semantics.

    columns: column -> part, from `{column: name}`; groups, order: a column's name
    """

    validation: float | None = None
    test: float | None = None
    folds: int | None = None
    seed: int | None = None
    column: str | None = None
    groups: str | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """Where rows come from and what to do with their columns."""

    source: str
    target: str | None = None
    task: str | None = None
    split: SplitSpec = field(default_factory=SplitSpec)
    drop: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    keep_missing: tuple[str, ...] = ()
    positive: Value = None
    target_scaling: str | None = None
    options: Mapping[str, Value] = field(default_factory=dict)  # of a generator: noise, rows, features


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSpec:
    """What is to be made small or large."""

    metric: str
    direction: Direction | None = None
    on_diverged: str = "fail"  # fail | worst


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSpec:
    """Who proposes."""

    name: str = "random"
    seed: int | None = None
    batch: int | None = None
    widen: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunerSpec:
    """Who judges running trials."""

    name: str = "none"
    min_epochs: int | None = None
    factor: int | None = None
    bracket: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """A trial ends when its value has not become better for `patience` epochs."""

    patience: int
    min_delta: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSpec:
    """When a study ends before its trials are all done."""

    value: float | None = None
    plateau: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a study may use."""

    wall_time: str | float | None = None
    parallel: int | None = None
    max_failed: int | None = None
    retries: int | None = None
    lease: str | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study file, parsed. `service.specfile` completes it: afterwards nothing that has a default is None.

    objective: what trials are judged by while they train; objectives: all of several in the file's order,
    `objective` the first of them that is no cost; empty with one
    """

    data: DataSpec | None = None
    parameters: SearchSpace
    name: str | None = None
    seed: int = 0
    description: str = ""
    objective: ObjectiveSpec | None = None
    objectives: tuple[ObjectiveSpec, ...] = ()
    trials: int | None = None
    epochs: int | None = None
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    pruner: PrunerSpec = field(default_factory=PrunerSpec)
    repeats: int = 1
    early_stopping: EarlyStopping | None = None
    stop: StopSpec | None = None
    limits: Limits = field(default_factory=Limits)
    enqueue: tuple[Mapping[str, Value], ...] = ()
    constraints: Mapping[str, str] = field(default_factory=dict)
    warm_start: tuple[str, ...] = ()
    refit: bool = False
    trainer: str = MLP
    priority: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def external(self) -> bool:
        """Whether its trials are trained elsewhere."""
        return self.trainer == EXTERNAL

    @property
    def settled(self) -> dict[str, Value]:
        """The hyperparameters that stand beside `parameters`: epochs and early stopping."""
        values: dict[str, Value] = {} if self.epochs is None else {"epochs": self.epochs}
        if self.early_stopping is not None:
            values |= {
                "patience": self.early_stopping.patience,
                "min_delta": self.early_stopping.min_delta,
            }
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStudy:
    """What storage needs to create a study.

    direction, metric: of the first objective; objectives: all of them where there are several
    spec: the completed study file as JSON types; data: DatasetInfo as JSON types
    folder: where a relative `data.source` was found, so that a resume finds it again
    enqueue: params that take the first numbers, part of n_trials
    served: a server's coordinator is to run it, rather than whoever made it
    """

    name: str
    direction: Direction
    metric: str
    n_trials: int
    spec: Mapping[str, Any]
    data: Mapping[str, Any]
    folder: str = ""
    owner: str | None = None  # an account, when there are accounts
    priority: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    objectives: tuple[ObjectiveSpec, ...] = ()
    enqueue: tuple[Params, ...] = ()
    served: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The process that runs a study.

    host, pid, born: name a process for as long as its machine is up (born: its start, in seconds
    since 1970 to the hundredth); token: names one run of a coordinator
    """

    host: str
    pid: int
    born: float
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study as the database has it at one moment.

    direction, metric: of the first objective; objectives: all of them, () when there is one
    notes: what its sampler decided, in JSON types
    counted: trials below this number are what it came to, where `stop` has ended it; None: all are
    since: the trials it had when it last ended; its rules of ending look at later ones
    served: a server's coordinator is to run it
    live: what its driver last said of its speed, empty when nobody drives it: trials_per_s, model_steps_per_s,
    seconds_left, n_slots, n_busy, n_lanes
    n_queued: settings that wait for a number
    """

    id: int
    name: str
    state: StudyState
    reason: str | None
    wanted: Wanted
    direction: Direction
    metric: str
    n_trials: int  # the total wanted
    counts: Mapping[TrialState, int]
    spec: Mapping[str, Any]
    data: Mapping[str, Any]
    folder: str
    owner: str | None
    priority: int
    labels: Mapping[str, str]
    versions: Mapping[str, str]
    driver: Driver | None
    lease_left_s: float | None  # of the driver; negative when it has run out
    test: Mapping[str, Any] | None  # {"number", metric: value…, "scored": times}
    seconds: float  # spent RUNNING
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    objectives: tuple[ObjectiveSpec, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    counted: int | None = None
    since: int = 0
    served: bool = False
    live: Mapping[str, Any] = field(default_factory=dict)
    n_queued: int = 0

    @property
    def external(self) -> bool:
        """Whether its trials are trained elsewhere: it never has a driver."""
        return self.spec.get("trainer") == EXTERNAL

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it trains and nothing of it has ended; who trains elsewhere may go on."""
        return self.state in AT_REST and not self.external

    @property
    def n_planned(self) -> int:
        """Trials that have a number already."""
        return sum(self.counts.values())

    @property
    def n_finished(self) -> int:
        """Trials to which nothing more will happen."""
        return sum(n for state, n in self.counts.items() if state.finished)
