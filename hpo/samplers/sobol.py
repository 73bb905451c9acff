"""Sobol's sequence: points that fill the space more evenly than random ones, each a function of seed and place."""

from __future__ import annotations

import importlib
import secrets
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.samplers.distributions import distributions_of
from hpo.samplers.random import RandomSampler, draw_of
from hpo.space import SearchSpace, Value
from hpo.trial import Trial, TrialPlan


class SobolSampler(BaseSampler):
    """Proposes the points of a scrambled Sobol sequence; every searched parameter is one dimension.

    Dimensions are in the order of the study file. A choice has an equal share of its dimension for each of
    its values; a parameter whose condition does not hold leaves its dimension unused.
    """

    def __init__(self, seed: int | None = None, space: SearchSpace | None = None) -> None:
        self.seed = secrets.randbits(32) if seed is None else seed
        self._space = space or SearchSpace({})
        self._fixed = self._space.fixed
        self._distributions = distributions_of(self._space)
        self._values = {name: value_at(d) for name, d in self._distributions.items()}
        self._dimensions = {name: i for i, name in enumerate(self._distributions)}
        self._engine: Any = None  # scipy's, when it is first needed
        self._elsewhere = RandomSampler(self.seed)

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first … first + n - 1: the next n points from a place in the sequence."""
        points = self._points(first if place is None else place, n)
        return [TrialPlan(number=first + i, params=self._params(point)) for i, point in enumerate(points)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns nothing: the sequence does not look at results."""

    def notes(self) -> dict[str, Any]:
        """Nothing to say."""
        return {}

    def _points(self, place: int, n: int) -> np.ndarray[Any, Any]:
        """[n, dimensions] numbers in [0, 1)."""
        if not self._dimensions:
            return np.zeros((n, 0))
        engine = self._engine
        if engine is None or engine.num_generated > place:
            engine = self._engine = _sequence(len(self._dimensions), self.seed)
        if place > engine.num_generated:
            engine.fast_forward(place - engine.num_generated)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a first part that is no power of two
            points: np.ndarray[Any, Any] = engine.random(n)
        return points

    def _params(self, point: np.ndarray[Any, Any]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name in self._space.in_order():
            if self._space.is_active(name, values):
                dimension = self._dimensions.get(name)
                values[name] = (
                    self._fixed[name] if dimension is None else self._values[name](float(point[dimension]))
                )
        return {name: value for name, value in values.items() if name not in self._fixed}

    # Optuna's own interface

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All searched parameters: a point gives them together."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point of the trial's number."""
        [point] = self._points(trial.number, 1)
        return {name: self._values[name](float(point[self._dimensions[name]])) for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter that the space does not have is drawn at random."""
        return self._elsewhere.sample_independent(study, trial, param_name, param_distribution)


def _sequence(n_dimensions: int, seed: int) -> Any:
    """scipy's scrambled sequence. Importing it takes a second, which searches by other samplers need not wait."""
    return importlib.import_module("scipy.stats.qmc").Sobol(n_dimensions, scramble=True, rng=seed)


class _Coordinate:
    """One number of a point in the place of a random generator."""

    def __init__(self, u: float) -> None:
        self._u = u

    def uniform(self, low: float, high: float) -> float:
        """The number between two bounds that is as far along as the coordinate."""
        return low + (high - low) * self._u


def value_at(distribution: BaseDistribution) -> Callable[[float], Value]:
    """What a number in [0, 1) means for a parameter.

    >>> [value_at(CategoricalDistribution(["a", "b", "c"]))(u) for u in (0.0, 0.3, 0.4, 0.99)]
    ['a', 'a', 'b', 'c']
    """
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        return lambda u: choices[int(u * len(choices))]
    draw = draw_of(distribution)
    return lambda u: draw(cast(np.random.RandomState, _Coordinate(u)))
