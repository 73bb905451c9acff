"""Made-up searches whose answer is known: smooth surfaces over parameters, and a sampler let loose on them."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass

from hpo.samplers.base import Learner, Sampler
from hpo.space import Choice, Params, Range, SearchSpace
from hpo.states import TrialState
from hpo.trial import Trial, TrialPlan

SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-5, high=1.0, log=True, type="float"),
        "l2": Range(low=1e-7, high=1e-1, log=True, type="float"),
        "dropout": Range(low=0.0, high=0.8, type="float"),
        "momentum": Range(low=0.0, high=0.99, type="float"),
        "hidden_units": Range(low=8, high=512, log=True, type="int"),
        "activation": Choice(choices=("relu", "tanh", "elu")),
    }
)
EPOCHS = 20
PAUSE_S = 0.002
# How much parameters matter, the first one drawn the most: few of them do, as the course says.
WEIGHTS = (4.0, 2.0, 1.0, 0.3, 0.1)
COSTS = (0.0, 0.05, 0.2)  # of the choices
UNTRAINED = 0.5  # what is lost without training, less with every epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A loss over SPACE, 0 at one point and larger everywhere else.

    best: that point, numbers as shares of their range's line; weights: of each number's squared distance
    costs: of each choice; twist: how much the two that matter most depend on one another, below 1
    """

    best: dict[str, float]
    weights: dict[str, float]
    costs: dict[str, float]
    twist: float

    def loss(self, params: Params, epochs: int = EPOCHS) -> float:
        """What a trial of so many epochs is worth; small is good."""
        away = {name: place(name, params) - best for name, best in self.best.items()}
        first, second = sorted(self.weights, key=lambda name: -self.weights[name])[:2]
        total = sum(self.weights[name] * distance**2 for name, distance in away.items())
        # With |twist| < 1 the two together stay positive: 2 sqrt(ab) xy is at most axx + byy.
        height = 2 * math.sqrt(self.weights[first] * self.weights[second])
        total += self.twist * height * away[first] * away[second]
        total += self.costs[str(params["activation"])]
        return total + UNTRAINED * (1 - epochs / EPOCHS)


def place(name: str, params: Params) -> float:
    """Where a number lies in its range, from 0 to 1, in decades where the range is in decades."""
    parameter = SPACE.searched[name]
    if not isinstance(parameter, Range):
        raise TypeError(f"{name} is no range")
    value, low, high = float(params[name] or 0.0), parameter.low, parameter.high
    if parameter.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def surface_of(seed: int) -> Surface:
    """A surface of its own for every seed."""
    draw = random.Random(f"surface {seed}")
    numbers = [name for name, parameter in SPACE.searched.items() if isinstance(parameter, Range)]
    choices = ["relu", "tanh", "elu"]
    ranked = draw.sample(numbers, len(numbers))
    return Surface(
        best={name: draw.uniform(0.1, 0.9) for name in numbers},
        weights=dict(zip(ranked, WEIGHTS, strict=True)),
        costs=dict(zip(draw.sample(choices, 3), COSTS, strict=True)),
        twist=draw.uniform(-0.7, 0.7),
    )


def best_found(sampler: Sampler, surface: Surface, n_trials: int) -> float:
    """The smallest loss among n_trials trials of a sampler that is told of every trial as it ends."""
    losses: list[float] = []
    while len(losses) < n_trials:
        plans = sampler.ask(len(losses), n_trials - len(losses))
        if not plans and isinstance(sampler, Learner) and sampler.thinking():
            time.sleep(PAUSE_S)  # another process works them out
            continue
        if not plans:
            raise ValueError(f"no plan for trial {len(losses)}, though all before it are told")
        trials = [ended(plan, surface.loss(plan.params, plan.epochs or EPOCHS)) for plan in plans]
        sampler.tell(trials)
        losses += [trial.value for trial in trials if trial.value is not None]
    return min(losses)


def ended(plan: TrialPlan, value: float) -> Trial:
    """A planned trial that is COMPLETE with a value."""
    return Trial(
        number=plan.number,
        state=TrialState.COMPLETE,
        value=value,
        params=plan.params,
        epochs=plan.epochs or EPOCHS,
        best_epoch=1,
        retry_of=plan.retry_of,
        budget=plan.epochs,
    )
