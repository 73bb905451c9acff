"""What figures are made of: plain columns, a place per trial, as narrow queries of a storage give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hpo.space import Choice, Range
from hpo.states import TrialState
from hpo.study import Direction

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Parameter = Range | Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is searched for. unit: of its values, such as s; empty where they are plain numbers."""

    metric: str
    direction: Direction
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """Trials of a study, n of them, by number.

    objectives: all of them, at least one
    numbers: [n], ascending
    states: [n], names of TrialState
    values: [n, objectives]; NaN where there is none
    parameters: the searched ones, as the study file wrote them
    params: name -> [n], the numbers that Optuna's table keeps (of a Choice the place of the choice); NaN where
        a parameter is not active
    feasible: [n]; whether a trial meets the study's constraints; None: all do
    """

    objectives: tuple[Objective, ...]
    numbers: Ints
    states: Sequence[str]
    values: Floats
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    params: Mapping[str, Floats] = field(default_factory=dict)
    feasible: Bools | None = None

    @property
    def objective(self) -> Objective:
        """The only or the first one."""
        return self.objectives[0]

    @property
    def first(self) -> Floats:
        """[n], values of the first objective."""
        return self.values[:, 0]

    def counted(self) -> Bools:
        """[n]: which may be the best: COMPLETE, feasible, every value finite."""
        complete = np.asarray(self.states, dtype=np.str_) == TrialState.COMPLETE.value
        fit = np.isfinite(self.values).all(axis=1)
        feasible = True if self.feasible is None else self.feasible
        return np.asarray(complete & fit & feasible, dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The objective after each epoch of some trials.

    curves: for each of numbers its [epochs], the first of epoch 1; NaN where it could not be measured
    best: the number of the study's best trial, if there is one
    n: trials that have a curve, where these are only some of them
    """

    objective: Objective
    numbers: Sequence[int]
    curves: Sequence[Floats]
    best: int | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """A metric on training and on validation rows at the best epoch of each trial; both [p], NaN where none.

    n: trials that have both, where these are only some of them
    """

    objective: Objective
    numbers: Ints
    train: Floats
    validation: Floats
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Importances: (parameter, its share 0 to 1 or None, the reason why it cannot be judged).

    n_seen, n: trials that were looked at, and that there are
    """

    objective: Objective
    shares: Sequence[tuple[str, float | None, str | None]]
    n_seen: int = 0
    n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Cohorts, n of them, in rows of such that follow one another: a worker's slot where that is known.

    slots: names of the rows; slot: [n], places among them; cohorts: [n], ids
    starts, ends: [n], seconds since the study began; an end that is NaN: still at work at `now`
    lanes: [n], networks trained at once
    """

    slots: Sequence[str]
    slot: Ints
    cohorts: Ints
    starts: Floats
    ends: Floats
    lanes: Ints
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a round of a coarse-to-fine search draws one parameter: a range, or choices by their places."""

    round: int
    name: str
    low: float | None = None
    high: float | None = None
    choices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """The boxes of all rounds, rounds from 1."""

    parameters: Mapping[str, Parameter]
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heirs:
    """A population: its trials with the epochs each trained, and who went on from whose weights.

    steps: (epoch, source, heir); after that epoch heir went on from source's weights
    best: the number of the study's best trial, if there is one
    """

    epochs: Mapping[int, int]
    steps: Sequence[tuple[int, int, int]]
    best: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """What a network answers over two features, and the rows it was trained and judged on.

    x: [w], y: [h], both ascending; outputs: [h, w]; features: names of x and y
    rows_x, rows_y, rows_target: [rows]; target: its name
    """

    number: int
    features: tuple[str, str]
    target: str
    x: Floats
    y: Floats
    outputs: Floats
    rows_x: Floats
    rows_y: Floats
    rows_target: Floats
