"""What a storage gives to whoever draws or counts all trials of a study: narrow columns instead of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hpo.space import Searched

if TYPE_CHECKING:  # a storage that only lists and counts does without NumPy
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialColumns:
    """All trials of a study, n of them, by number.

    numbers: [n]; states: [n], names of TrialState; feasible: [n]
    values: [n, objectives]; NaN where there is none
    """

    numbers: Ints
    states: NDArray[np.str_]
    values: Floats
    feasible: NDArray[np.bool_]


class CohortSpan(NamedTuple):
    """How long a cohort was at work: from when its last attempt began to when the last of its trials ended.

    finished_at: None while some of them train; lanes: networks that trained at once
    """

    cohort: int
    lanes: int
    started_at: datetime
    finished_at: datetime | None


class ColumnStorage(Protocol):
    """The part of a Storage that figures read. Each method raises StudyNotFound."""

    def trial_columns(self, name: str) -> TrialColumns:
        """Number, state and values of every trial."""

    def trial_params(self, name: str, parameters: Mapping[str, Searched], numbers: Ints) -> dict[str, Floats]:
        """For each of the parameters the numbers that Optuna's table keeps of it, of the trials of these numbers
        (ascending) in their order; NaN where a trial has it not."""

    def cohort_spans(self, name: str) -> list[CohortSpan]:
        """The cohorts that were begun, by id."""
