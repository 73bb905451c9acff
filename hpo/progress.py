"""How far a study is: what the live view shows and what events carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.states import StudyState, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A study at one moment."""

    study: str
    state: StudyState
    n_trials: int
    counts: Mapping[TrialState, int]
    metric: str
    best_number: int | None = None
    best_value: float | None = None
    trials_per_s: float = 0.0
    model_steps_per_s: float = 0.0
    seconds: float = 0.0
    seconds_left: float | None = None
    n_slots: int = 0
    n_busy: int = 0
    message: str | None = None  # a sentence that is worth a line: a lost worker, a retry

    @property
    def n_finished(self) -> int:
        """Trials to which nothing more will happen."""
        return sum(n for state, n in self.counts.items() if state.finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a study. id: to go on behind it; kind: trial, progress or study; data: JSON types."""

    id: str
    kind: str
    data: Mapping[str, Any]
