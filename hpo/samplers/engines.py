"""Optuna's samplers that learn: how each is made, and what it needs of the history that is shown to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

Make = Callable[[int, Mapping[str, Any], Sequence[FrozenTrial]], BaseSampler]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One of Optuna's samplers.

    make: seed, options and warm trials to a new one
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


def _tpe(seed: int, options: Mapping[str, Any], warm: Sequence[FrozenTrial]) -> BaseSampler:
    return TPESampler(seed=seed, **options)


def _gp(seed: int, options: Mapping[str, Any], warm: Sequence[FrozenTrial]) -> BaseSampler:
    return GPSampler(seed=seed, warn_independent_sampling=False, **options)


def _nsga2(seed: int, options: Mapping[str, Any], warm: Sequence[FrozenTrial]) -> BaseSampler:
    return GenerationSampler(seed=seed, **options)


FEWEST_SOURCES = 10  # the warm start of CMA-ES begins at the mean of the best tenth


def _cmaes(seed: int, options: Mapping[str, Any], warm: Sequence[FrozenTrial]) -> BaseSampler:
    if len(warm) >= FEWEST_SOURCES and not options.get("use_separable_cma"):
        options = {**options, "source_trials": list(warm)}
    return CmaEsSampler(seed=seed, warn_independent_sampling=False, **options)


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


def make_engine(
    engine: Engine, seed: int, options: Mapping[str, Any], warm: Sequence[FrozenTrial]
) -> BaseSampler:
    """A new sampler of Optuna's, without its remarks on what is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return engine.make(seed, options, warm)
