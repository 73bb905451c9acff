"""Random search: each value is a pure function of seed, trial number and parameter name, drawn as Optuna would."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.samplers.distributions import distributions_of
from hpo.seeds import parameter_seed
from hpo.space import Params, SearchSpace, Value
from hpo.study import StudySpec
from hpo.trial import Trial, TrialPlan

Draw = Callable[[np.random.RandomState], Value]


class RandomSampler(BaseSampler):
    """Proposes every parameter independently; adding, reordering or switching off one changes no other.

    seed: of the sampler; space: needed to `ask`, not for Optuna's own studies
    """

    def __init__(self, seed: int | None = None, space: SearchSpace | None = None) -> None:
        self.seed = secrets.randbits(32) if seed is None else seed
        self._space = space or SearchSpace({})
        self._random = np.random.RandomState(0)
        self._fixed = self._space.fixed
        self._draws = {name: draw_of(d) for name, d in distributions_of(self._space).items()}
        # (name, whether it has a condition), conditions first
        self._steps = [(name, bool(self._space.parameters[name].when)) for name in self._space.in_order()]

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first … first + n - 1; there is no end of them."""
        return [TrialPlan(number=number, params=self.params(number)) for number in range(first, first + n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns nothing: random search does not look at results."""

    def notes(self) -> dict[str, Any]:
        """Nothing to say."""
        return {}

    def params(
        self,
        number: int,
        given: Params = MappingProxyType({}),
        draws: Mapping[str, Draw] | None = None,
    ) -> dict[str, Value]:
        """The values of the active searched parameters of one trial; only what is not given is drawn.

        draws: how to draw each parameter, where not as the search space says
        """
        draws = self._draws if draws is None else draws
        values: dict[str, Value] = {}
        searched: dict[str, Value] = {}
        for name, conditional in self._steps:
            if conditional and not self._space.is_active(name, values):
                continue
            draw = draws.get(name)
            if draw is None:
                values[name] = self._fixed[name]
            elif name in given:
                values[name] = searched[name] = given[name]
            else:
                values[name] = searched[name] = self.draw(draw, number, name)
        return searched

    def draw(self, draw: Draw, number: int, name: str) -> Value:
        """A value from the stream of seed, number and name."""
        # Seeding one generator anew gives the stream of a new one, at a tenth of the price.
        self._random.seed(parameter_seed(self.seed, number, name))
        return draw(self._random)

    # Optuna's own interface

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """None: parameters are drawn one by one."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing: parameters are drawn one by one."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of one parameter in the trial of that number."""
        return self.draw(draw_of(param_distribution), trial.number, param_name)


def filler(spec: StudySpec) -> Callable[[int, Params], Params]:
    """What completes a setting for the trial of a number: the values that random search would have drawn for it."""
    return RandomSampler(
        spec.seed if spec.sampler.seed is None else spec.sampler.seed, spec.parameters
    ).params


def draw_of(distribution: BaseDistribution) -> Draw:
    """A function that draws from a distribution what Optuna's RandomSampler would, bit for bit."""
    return _DRAWS[type(distribution)](distribution)


def _float(d: FloatDistribution) -> Draw:
    if d.log:
        return _log_float(d)
    if d.step is not None:
        return _stepped_float(d)
    low, high = float(d.low), float(d.high)
    below = float(np.nextafter(high, high - 1))
    if d.single():
        return lambda random: random.uniform(low, high)
    return lambda random: min(random.uniform(low, high), below)


def _log_float(d: FloatDistribution) -> Draw:
    log_low, log_high = math.log(d.low), math.log(d.high)
    low, below = float(d.low), float(np.nextafter(d.high, d.high - 1))
    if d.single():
        return lambda random: math.exp(random.uniform(log_low, log_high))
    return lambda random: min(max(math.exp(random.uniform(log_low, log_high)), low), below)


def _stepped_float(d: FloatDistribution) -> Draw:
    low, high, step = float(d.low), float(d.high), float(d.step or 1)
    first, last = low - 0.5 * step, high + 0.5 * step

    def draw(random: np.random.RandomState) -> float:
        # Python's round goes to even at halves, as numpy's does.
        return min(max(float(round((random.uniform(first, last) - low) / step)) * step + low, low), high)

    return draw


def _int(d: IntDistribution) -> Draw:
    low, high, step = int(d.low), int(d.high), int(d.step)
    half = 0.5 * step
    if d.log:
        log_first, log_last = math.log(low - half), math.log(high + half)
        return lambda random: min(max(round(math.exp(random.uniform(log_first, log_last))), low), high)
    first, last = float(low) - half, float(high) + half

    def draw(random: np.random.RandomState) -> int:
        place = math.floor((random.uniform(first, last) - low) / step + 0.5)
        return min(max(place * step + low, low), high)

    return draw


def _categorical(d: CategoricalDistribution) -> Draw:
    choices, n = d.choices, len(d.choices)
    # Optuna draws a number for each choice and takes the largest.
    return lambda random: choices[int(random.uniform(0.0, 1.0, n).argmax())]


_DRAWS: dict[type, Callable[[Any], Draw]] = {
    FloatDistribution: _float,
    IntDistribution: _int,
    CategoricalDistribution: _categorical,
}
