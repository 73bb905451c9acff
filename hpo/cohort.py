"""A cohort: trials that train as one tensor program; what goes to a worker and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hpo.bracket import Judge
from hpo.constraints import Constraint
from hpo.dataset import Rows
from hpo.evolution import Evolution
from hpo.settings import EXACT
from hpo.states import CohortState
from hpo.study import Direction, Driver, ObjectiveSpec
from hpo.training import LaneSettings, SharedSettings
from hpo.trial import Curve, TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortPlan:
    """Trials that will train together, by number, ascending."""

    numbers: tuple[int, ...]
    repeats: int = 1
    folds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """A cohort as the database has it; attempt counts its claims and is the fence of every write.

    started_at: of the last attempt
    """

    id: int
    study: int
    state: CohortState
    attempt: int
    epoch: int
    driver: Driver | None
    numbers: tuple[int, ...]
    repeats: int = 1
    folds: int = 1
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTask:
    """One lane of a cohort: which trial, which of its repeats and folds, and its settings."""

    number: int
    repeat: int
    fold: int
    settings: LaneSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortTask:
    """Everything a worker needs to train a cohort, but the data, which it has under the key `data`.

    lanes: those of one trial stand together, trials by number
    metric, direction: the objective, on validation rows
    judged: the worker waits after each epoch for the keep mask
    beat: weights come back only when the cohort's best trial is better than this (None: in any case)
    on_diverged: fail, or worst: a diverged trial is COMPLETE with the worst value it had
    precision: exact, or fast: a setting of the whole study
    objectives: all of several, `metric` the first; () with one. Results have `values` then and no `value`
    constraints: what ended trials must meet; known: what these read of a trial besides its results, by number
    until: train so many epochs, whatever the values, and keep the last one's weights (None: the best ones)
    judge: the worker judges the cohort itself, which holds whole brackets, besides any mask
    halt: after this epoch the worker hands the cohort back as it stands, if any of its trials still trains
    checkpoints: where to go on, as earlier tasks gave them; together they hold all trials of this one
    saving: bytes a second that the worker may spend on saying where it stands; 0: it never does
    evolution: how its trials change while they train; None: not at all
    """

    id: int
    attempt: int
    data: str
    shared: SharedSettings
    lanes: tuple[LaneTask, ...]
    seed: int
    metric: str
    direction: Direction
    judged: bool = False
    beat: float | None = None
    on_diverged: str = "fail"
    precision: str = EXACT
    objectives: tuple[ObjectiveSpec, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    known: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    until: int | None = None
    judge: Judge | None = None
    halt: int | None = None
    checkpoints: tuple[bytes, ...] = ()
    saving: float = 0.0
    evolution: Evolution | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The trials of the cohort, by number."""
        return tuple(dict.fromkeys(lane.number for lane in self.lanes))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """What a worker sends after each epoch: the living trials' objective, and those that ended.

    numbers: trials that trained in this epoch; values: their objective (mean over lanes), best_values:
    the best so far of each; ended: results of those for which this epoch was the last
    """

    cohort: int
    attempt: int
    epoch: int  # from 1
    numbers: tuple[int, ...]
    values: tuple[float, ...]
    best_values: tuple[float, ...]
    ended: tuple[TrialResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSaved:
    """Where a cohort stood after an epoch, in case its worker dies; the results of those who had ended are reported.

    numbers: the trials that trained on; checkpoint: for a task that goes on from there
    """

    cohort: int
    attempt: int
    epoch: int
    numbers: tuple[int, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortDone:
    """The last message about a cohort that trained to its end.

    model: weights of its best trial as bytes (hpo.models), when it beat `beat`
    """

    cohort: int
    attempt: int
    best_number: int | None
    best_value: float | None
    model: bytes | None
    train_seconds: float
    lane_steps: int  # lanes * steps trained


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortHalted:
    """The last message about a cohort that was to halt.

    checkpoint: where its living trials are; standing: what they would be, were they pruned now
    best_number, best_value, model: as in CohortDone, of the trials that have ended
    """

    cohort: int
    attempt: int
    checkpoint: bytes
    standing: tuple[TrialResult, ...]
    best_number: int | None
    best_value: float | None
    model: bytes | None
    train_seconds: float
    lane_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortFailed:
    """A cohort that did not end by itself. reason is error, out_of_memory, lost or cancelled.

    lost: the worker died; its trials are trained again, `limits.retries` times
    detail: one sentence for the user
    """

    cohort: int
    attempt: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTask:
    """Score a kept model once on the test rows; the only message that carries any."""

    id: int
    model: bytes
    test: Rows
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDone:
    """The test score, metric by metric: the mean over the model's lanes.

    stderrs: the standard errors of these means; empty for one lane
    """

    id: int
    scores: Mapping[str, float]
    stderrs: Mapping[str, float] = field(default_factory=dict)


Task = CohortTask | ScoreTask
LastReport = CohortDone | CohortHalted | CohortFailed | ScoreDone
Report = EpochResult | CohortSaved | LastReport

__all__ = [
    "Cohort",
    "CohortDone",
    "CohortFailed",
    "CohortHalted",
    "CohortPlan",
    "CohortSaved",
    "CohortTask",
    "Curve",
    "EpochResult",
    "LaneTask",
    "LastReport",
    "Report",
    "ScoreDone",
    "ScoreTask",
    "Task",
]
