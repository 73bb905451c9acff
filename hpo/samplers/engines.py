"""Optuna's samplers that learn: how each is made, and what it needs of the history that is shown to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an engine is made for. warm: trials of other studies; numbers: the ranges that every trial has."""

    options: Mapping[str, Any] = field(default_factory=dict)
    warm: Sequence[FrozenTrial] = ()
    numbers: frozenset[str] = frozenset()


Make = Callable[[int, Setting], BaseSampler]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One of Optuna's samplers.

    make: seed and setting to a new one
    search_space: its attribute that remembers which parameters all trials share, so that thousands of
    trials are not compared anew for each
    remembers: it keeps its state in the attributes of trials, which must be asked for again after a restart
    counts_pruned: PRUNED trials count among them
    constraints: it learns from which trials are infeasible
    generation: the attribute that makes a trial of another study one of its first generation
    """

    make: Make
    search_space: str
    counts_pruned: bool = False
    remembers: bool = False
    constraints: bool = True
    generation: str | None = None


class GenerationSampler(NSGAIISampler):
    """NSGA-II whose parents are chosen anew as more of the generation before have finished.

    Optuna chooses them once, when the first child is asked for. Asked in batches, half of every
    generation has not finished by then and would never be a parent.
    """

    CHOSEN = "hpo:chosen"

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A child of the best, all that have finished considered."""
        generation = self.get_trial_generation(study, trial)
        n_finished = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
        storage, key = study._storage, f"{self._get_parent_cache_key_prefix()}{generation}"
        chosen = [generation, n_finished]
        if storage.get_study_system_attrs(study._study_id).get(self.CHOSEN) != chosen:
            storage.set_study_system_attr(study._study_id, key, None)
            storage.set_study_system_attr(study._study_id, self.CHOSEN, chosen)
        children: dict[str, Any] = super().sample_relative(study, trial, search_space)
        return children


def _tpe(seed: int, setting: Setting) -> BaseSampler:
    return TPESampler(seed=seed, **setting.options)


def _gp(seed: int, setting: Setting) -> BaseSampler:
    return GPSampler(seed=seed, warn_independent_sampling=False, **setting.options)


def _nsga2(seed: int, setting: Setting) -> BaseSampler:
    return GenerationSampler(seed=seed, **setting.options)


FEWEST_SOURCES = 10  # the warm start of CMA-ES begins at the mean of the best tenth


class NumbersSampler(CmaEsSampler):
    """CMA-ES over the ranges that every trial has.

    Optuna takes those that all trials so far have, a conditional one among them as long as chance has it
    so, and stops searching when that changes.
    """

    def __init__(self, numbers: frozenset[str], **rest: Any) -> None:
        super().__init__(**rest)
        self._numbers = numbers

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The ranges that are moved together."""
        found = super().infer_relative_search_space(study, trial)
        return {name: distribution for name, distribution in found.items() if name in self._numbers}


def _cmaes(seed: int, setting: Setting) -> BaseSampler:
    options = dict(setting.options)
    sources = [_only(trial, setting.numbers) for trial in setting.warm if trial.state is TrialState.COMPLETE]
    if len(sources) >= FEWEST_SOURCES and not options.get("use_separable_cma"):
        options["source_trials"] = sources
    return NumbersSampler(setting.numbers, seed=seed, warn_independent_sampling=False, **options)


def _only(trial: FrozenTrial, names: frozenset[str]) -> FrozenTrial:
    """A trial without its other parameters: CMA-ES starts only from those that have just its own."""
    return create_trial(
        params={name: value for name, value in trial.params.items() if name in names},
        distributions={name: d for name, d in trial.distributions.items() if name in names},
        values=trial.values,
    )


ENGINES: dict[str, Engine] = {
    "tpe": Engine(make=_tpe, search_space="_search_space", counts_pruned=True),
    "cmaes": Engine(make=_cmaes, search_space="_search_space", remembers=True, constraints=False),
    "gp": Engine(make=_gp, search_space="_intersection_search_space"),
    "nsga2": Engine(
        make=_nsga2,
        search_space="_search_space",
        remembers=True,
        generation=GenerationSampler._get_generation_key(),
    ),
}


def make_engine(engine: Engine, seed: int, setting: Setting) -> BaseSampler:
    """A new sampler of Optuna's, without its remarks on what is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return engine.make(seed, setting)
