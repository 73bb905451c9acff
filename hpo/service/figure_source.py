"""What figures are made of, gathered from a storage: narrow columns of all trials, settings and curves of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo.errors import UnknownName, suggest
from hpo.figures.columns import Floats, Ints, Objective, Trials
from hpo.figures.sampling import best_place
from hpo.service import specfile
from hpo.space import Searched
from hpo.states import TrialState
from hpo.storage.base import Storage
from hpo.storage.base_columns import TrialColumns
from hpo.study import Study

VALUED = (TrialState.COMPLETE.value, TrialState.PRUNED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What else a figure may be asked for.

    metric: of several objectives the one to look at; x, y: what stands across and up; trial: whose network
    """

    metric: str | None = None
    x: str | None = None
    y: str | None = None
    trial: int | None = None


PLAIN = Options()


class Source:
    """A study whose figures are wanted; what several of them are made of is read once."""

    def __init__(self, storage: Storage, study: Study) -> None:
        self.storage, self.study = storage, study
        self.spec = specfile.from_json(study.spec)

    @property
    def space(self) -> dict[str, Searched]:
        """The searched parameters."""
        return self.spec.parameters.searched

    @cached_property
    def columns(self) -> TrialColumns:
        """Every trial. Raises StudyNotFound."""
        return self.storage.trial_columns(self.study.name)

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """All of them, at least one."""
        if not self.study.objectives:
            return (Objective(metric=self.study.metric, direction=self.study.direction),)
        return tuple(
            Objective(metric=one.metric, direction=one.direction or self.study.direction)
            for one in self.study.objectives
        )

    def trials(self, **first: str | None) -> Trials:
        """All trials. first: option -> the metric of the objective that is to stand first, then the next.

        Raises UnknownName, at the option, for a metric that is no objective.
        """
        columns, order = self.columns, self._order(first)
        states = columns.states
        if self.study.at_rest:
            states = np.where(states == TrialState.RUNNING.value, TrialState.WAITING.value, states)
        # Where `stop` has ended the study, trials behind the end are never its best.
        counted = True if self.study.counted is None else columns.numbers < self.study.counted
        return Trials(
            objectives=tuple(self.objectives[place] for place in order),
            numbers=columns.numbers,
            states=states,  # type: ignore[arg-type]  # an array is read as a sequence
            values=columns.values[:, order],
            parameters=self.space,
            feasible=columns.feasible & counted,
        )

    def _order(self, first: dict[str, str | None]) -> list[int]:
        metrics = [one.metric for one in self.objectives]
        for option, metric in first.items():
            if metric is not None and metric not in metrics:
                hint = suggest(metric[:80], metrics) or f"; there are {', '.join(metrics)}"
                raise UnknownName(f"no objective is called {metric[:80]!r}{hint}", field=option)
        ahead = [metrics.index(metric) for metric in first.values() if metric is not None]
        return list(dict.fromkeys([*ahead, *range(len(metrics))]))

    def params(self, places: Ints, names: Sequence[str] | None = None) -> dict[str, Floats]:
        """name -> [n], the settings of the trials at these places; NaN at all others."""
        wanted = self.space if names is None else {name: self.space[name] for name in names}
        found = self.storage.trial_params(self.study.name, wanted, self.columns.numbers[places])
        whole = {name: np.full(len(self.columns.numbers), np.nan) for name in self.space}
        for name, values in found.items():
            whole[name][places] = values
        return whole


def valued(trials: Trials) -> Floats:
    """[n], the first objective of COMPLETE and PRUNED trials; NaN for the others."""
    return np.where(np.isin(trials.states, VALUED), trials.first, np.nan)


def best_number(trials: Trials) -> int | None:
    """The number of the best trial, ties to the lowest."""
    place = best_place(np.where(trials.counted(), trials.first, np.nan), trials.objective.direction.sign)
    return None if place is None else int(trials.numbers[place])
