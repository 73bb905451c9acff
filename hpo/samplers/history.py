"""An Optuna study in memory: what a sampler of Optuna's is shown of our trials, in order of number."""

from __future__ import annotations

import logging
import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import InMemoryStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import Trial as OptunaTrial
from optuna.trial import TrialState as OptunaState

from hpo.samplers.distributions import distributions_of
from hpo.samplers.engines import Engine, Setting, make_engine
from hpo.seeds import ask_seed
from hpo.space import Params, Range, SearchSpace, Value
from hpo.states import Reason, TrialState
from hpo.study import Direction
from hpo.trial import Trial

CONSTRAINT = "constraints:feasible"  # as Optuna's Trial.set_constraint would call it
# These say nothing of the settings: Optuna is told that the trial failed, and passes it over.
_NOBODYS_FAULT = (Reason.LOST.value, Reason.CANCELLED.value)
_NAME = "history"
# A study in memory is no news to anybody.
logging.getLogger("optuna.storages._in_memory").setLevel(logging.WARNING)


class Storage(InMemoryStorage):
    """Optuna's storage in memory; equal texts are kept once, since CMA-ES writes its state into every trial."""

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep an attribute of a running trial."""
        super().set_trial_system_attr(trial_id, key, sys.intern(value) if type(value) is str else value)


class History:
    """The trials 0, 1, … of a study, each RUNNING until its result is shown.

    engine, options: who asks; seed: the sampler's; warm: trials of other studies, shown first
    constrained: the study has constraints, so every trial says whether it meets them
    """

    def __init__(
        self,
        engine: Engine,
        space: SearchSpace,
        directions: Sequence[Direction],
        *,
        seed: int,
        options: Mapping[str, Any],
        constrained: bool = False,
        warm: Sequence[Trial] = (),
    ) -> None:
        self._engine = engine
        self._space = space
        self._searched = space.searched
        self._distributions = distributions_of(space)
        self._signs = [direction.sign for direction in directions]
        self._seed = seed
        self._constrained = constrained and engine.constraints
        self._storage = Storage()
        found = [StudyDirection[direction.name] for direction in directions]
        self._storage.create_new_study(found, _NAME)
        self._study = Study(_NAME, self._storage)
        self._shared = IntersectionSearchSpace(include_pruned=engine.counts_pruned)
        self._ids: list[int] = []  # Optuna's, by number
        self._n_shown = 0
        self._worst: list[float] | None = None
        found_warm = self._warm_trials(warm)
        self._setting = Setting(options=options, warm=found_warm, numbers=_numbers(space))
        self._study.add_trials(found_warm)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def n_shown(self) -> int:
        """How many of the first trials have their results here."""
        return self._n_shown

    def propose(self) -> dict[str, Value]:
        """Ask for the next trial: its searched active parameters."""
        trial = self._ask()
        return self._suggest(trial)

    def enter(self, params: Params) -> bool:
        """The next trial has these parameters, whoever proposed it.

        Whether a sampler that remembers would now propose the same; True for one that does not.
        """
        if not self._engine.remembers:
            template = create_trial(
                state=OptunaState.RUNNING,
                params=dict(params),
                distributions={name: self._distributions[name] for name in params},
            )
            self._ids.append(self._storage.create_new_trial(self._study._study_id, template))
            return True
        trial = self._ask()
        for name, value in params.items():
            internal = self._searched[name].internal(value)
            self._storage.set_trial_param(trial._trial_id, name, internal, self._distributions[name])
        proposed = trial.relative_params
        return all(params.get(name) == value for name, value in proposed.items() if name in params)

    def show(self, trials: Sequence[Trial]) -> None:
        """The results of the next trials, in order of number. What failed counts as the worst there is so far."""
        self._note_worst(trials)
        for trial in trials:
            self._show(trial)

    def _show(self, trial: Trial) -> None:
        trial_id = self._ids[self._n_shown]
        self._n_shown += 1
        state, values = self._outcome(trial)
        if state is OptunaState.PRUNED and values:
            self._storage.set_trial_intermediate_value(trial_id, max(trial.epochs, 1), values[0])
        if self._constrained and state is not OptunaState.FAIL:
            self._storage.set_trial_system_attr(trial_id, CONSTRAINT, -1.0 if _is_feasible(trial) else 1.0)
        self._storage.set_trial_state_values(trial_id, state, values)

    def _outcome(self, trial: Trial) -> tuple[OptunaState, list[float] | None]:
        values = _values_of(trial)
        if trial.state is TrialState.PRUNED and len(values) == 1 == len(self._signs):
            return OptunaState.PRUNED, values
        blameless = trial.state is TrialState.FAIL and trial.reason in _NOBODYS_FAULT
        good = trial.state is TrialState.COMPLETE and len(values) == len(self._signs)
        if good and (self._constrained or _is_feasible(trial)):
            return OptunaState.COMPLETE, values
        if blameless or self._worst is None:
            return OptunaState.FAIL, None
        return OptunaState.COMPLETE, list(self._worst)

    def _note_worst(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            values = _values_of(trial)
            known = trial.state is TrialState.COMPLETE and len(values) == len(self._signs)
            if known and all(map(math.isfinite, values)):
                pairs = zip(self._signs, self._worst or values, values, strict=True)
                self._worst = [sign * max(sign * before, sign * now) for sign, before, now in pairs]

    def _ask(self) -> OptunaTrial:
        """A new trial of Optuna's, asked of a new sampler: what it proposes depends on nothing but the
        history, the seed and the number."""
        seed = ask_seed(self._seed, len(self._ids))
        sampler = make_engine(self._engine, seed, self._setting)
        if hasattr(sampler, self._engine.search_space):
            setattr(sampler, self._engine.search_space, self._shared)
        self._study.sampler = sampler
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask()
        self._ids.append(trial._trial_id)
        return trial

    def _suggest(self, trial: OptunaTrial) -> dict[str, Value]:
        fixed = self._space.fixed
        values: dict[str, Value] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in self._space.in_order():
                if not self._space.is_active(name, values):
                    continue
                values[name] = fixed[name] if name in fixed else self._suggest_one(trial, name)
        return {name: value for name, value in values.items() if name not in fixed}

    def _suggest_one(self, trial: OptunaTrial, name: str) -> Value:
        distribution = self._distributions[name]
        return _SUGGEST[type(distribution)](trial, name, distribution)

    def _warm_trials(self, trials: Sequence[Trial]) -> list[FrozenTrial]:
        """Trials of other studies as Optuna has finished ones; those that say nothing are left out."""
        self._note_worst(trials)
        generation = self._engine.generation
        found = []
        for trial in trials:
            state, values = self._outcome(trial)
            if state is OptunaState.FAIL or values is None:
                continue
            feasible = {"feasible": -1.0 if _is_feasible(trial) else 1.0}
            warm = create_trial(
                state=state,
                values=values,
                params=dict(trial.params),
                distributions={name: self._distributions[name] for name in trial.params},
                intermediate_values={max(trial.epochs, 1): values[0]} if state is OptunaState.PRUNED else {},
                system_attrs={generation: 0} if generation else {},
                constraints=feasible if self._constrained else None,
            )
            found.append(warm)
        return found


def _numbers(space: SearchSpace) -> frozenset[str]:
    """The ranges with several values that every trial has."""
    ranges = {name: p for name, p in space.parameters.items() if isinstance(p, Range) and not p.when}
    return frozenset(name for name, p in ranges.items() if p.low < p.high)


def _values_of(trial: Trial) -> list[float]:
    """One value for each objective; none when there are none."""
    return list(trial.values) or ([] if trial.value is None else [trial.value])


def _is_feasible(trial: Trial) -> bool:
    return trial.feasible and trial.reason != Reason.INFEASIBLE.value


_Suggest = Callable[[OptunaTrial, str, Any], Value]


def _float(trial: OptunaTrial, name: str, d: FloatDistribution) -> Value:
    value: float = trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
    return value


def _int(trial: OptunaTrial, name: str, d: IntDistribution) -> Value:
    value: int = trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
    return value


def _choice(trial: OptunaTrial, name: str, d: CategoricalDistribution) -> Value:
    value: Value = trial.suggest_categorical(name, d.choices)
    return value


_SUGGEST: dict[type[BaseDistribution], _Suggest] = {
    FloatDistribution: _float,
    IntDistribution: _int,
    CategoricalDistribution: _choice,
}
