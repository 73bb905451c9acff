"""Columns of trials of the in-memory storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hpo.space import Searched
from hpo.storage.base_columns import CohortSpan, TrialColumns
from hpo.storage.columns import internal
from hpo.storage.memory_base import MemoryBase, alone

if TYPE_CHECKING:
    from hpo.storage.base_columns import Floats, Ints


class MemoryColumns(MemoryBase):
    """What each method does and raises stands in `base_columns`."""

    @alone
    def trial_columns(self, name: str) -> TrialColumns:
        """Number, state and values of every trial."""
        kept = self.find(name)
        trials = [kept.trials[number] for number in sorted(kept.trials)]
        n_objectives = len(kept.study.objectives) or 1
        rows = [trial.values or (trial.value,) * n_objectives for trial in trials]
        return TrialColumns(
            numbers=np.array([trial.number for trial in trials], dtype=np.int64),
            states=np.array([trial.state.value for trial in trials], dtype=np.str_),
            feasible=np.array([trial.feasible for trial in trials], dtype=np.bool_),
            values=np.array(rows, dtype=np.float64).reshape(len(trials), n_objectives),
        )

    @alone
    def trial_params(self, name: str, parameters: Mapping[str, Searched], numbers: Ints) -> dict[str, Floats]:
        """The parameters of some trials as numbers."""
        trials = self.find(name).trials
        settings = [trials[number].params if number in trials else {} for number in numbers.tolist()]
        return {called: internal(parameter, called, settings) for called, parameter in parameters.items()}

    @alone
    def cohort_spans(self, name: str) -> list[CohortSpan]:
        """The cohorts that were begun."""
        kept, found = self.find(name), []
        for cohort in sorted(kept.cohorts.values(), key=lambda one: one.id):
            trials = [kept.trials[number] for number in cohort.numbers]
            ended = [trial.finished_at for trial in trials if trial.finished_at is not None]
            if cohort.started_at is not None:
                finished = max(ended) if len(ended) == len(trials) else None
                lanes = len(trials) * cohort.repeats * cohort.folds
                found.append(CohortSpan(cohort.id, lanes, cohort.started_at, finished))
        return found
