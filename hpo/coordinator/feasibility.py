"""Which trials a study's constraints refuse before they train, and what the others are judged by when they end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpo.constraints import RESULTS, Constraint, constraints_of
from hpo.coordinator.planner import ReadyTrial
from hpo.dataset import DatasetInfo
from hpo.hyperparams import HYPERPARAMETERS
from hpo.model import NetworkShape
from hpo.space import SearchSpace, Value
from hpo.states import Reason, TrialState
from hpo.study import StudySpec
from hpo.training import shape_of
from hpo.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """A study's constraints over its own data and search space.

    before: judged as soon as a trial has its values; after: when it has ended, by the worker
    """

    space: SearchSpace
    info: DatasetInfo
    before: tuple[Constraint, ...]
    after: tuple[Constraint, ...]

    def parted(self, trials: Iterable[ReadyTrial]) -> tuple[list[ReadyTrial], list[ReadyTrial]]:
        """Trials that may train, and those that are refused, both in order of number."""
        may: list[ReadyTrial] = []
        refused: list[ReadyTrial] = []
        for trial in trials:
            (may if self.admits(trial) else refused).append(trial)
        return may, refused

    def admits(self, trial: ReadyTrial) -> bool:
        """Whether a trial meets what can be known before it trains."""
        return all(one.holds(self.known(trial, [one])) for one in self.before)

    def known(self, trial: ReadyTrial, constraints: Iterable[Constraint]) -> dict[str, float]:
        """What constraints read of a trial besides its results."""
        names = frozenset().union(*(one.names for one in constraints)).difference(RESULTS)
        return {name: self._value(name, trial) for name in sorted(names)}

    def _value(self, name: str, trial: ReadyTrial) -> float:
        """A hyperparameter's number in a trial: as it was given, else as the settings resolve it."""
        if name == "n_parameters":
            return network_of(trial, self.info).n_parameters
        if name == "hidden_layers":  # widths with dashes and rules say how many and how wide
            return len(trial.lane.hidden)
        if name == "hidden_units":
            return max(trial.lane.hidden, default=0)
        given = _given(self.space, trial.params).get(name)
        if given is not None:
            return float(given)
        if name == "pca_components":
            return self.info.inputs_under(trial.shared.scaling)
        for settings in (trial.lane, trial.shared):
            if hasattr(settings, name):
                return float(getattr(settings, name))
        return float(HYPERPARAMETERS[name].default or 0)


def feasibility_of(spec: StudySpec, info: DatasetInfo) -> Feasibility:
    """The constraints of a study. Raises SpecError for one that cannot be read."""
    found = constraints_of(spec.constraints)
    return Feasibility(
        space=spec.parameters,
        info=info,
        before=tuple(one for one in found if not one.of_result),
        after=tuple(one for one in found if one.of_result),
    )


def network_of(trial: ReadyTrial, info: DatasetInfo) -> NetworkShape:
    """The network that a trial trains, at its own widths."""
    return shape_of(trial.shared, trial.lane, info.inputs_under(trial.shared.scaling), len(info.classes))


def _given(space: SearchSpace, params: Mapping[str, Value]) -> dict[str, Value]:
    """The searched values and those fixed ones whose condition they meet."""
    values = dict(params)
    fixed = space.fixed
    for name in space.in_order():
        if name in fixed and space.is_active(name, values):
            values[name] = fixed[name]
    return values


def refusals(trials: Iterable[ReadyTrial]) -> list[TrialResult]:
    """How trials end that are refused before they train."""
    return [
        TrialResult(
            number=trial.number, state=TrialState.FAIL, reason=Reason.INFEASIBLE.value, feasible=False
        )
        for trial in trials
    ]
