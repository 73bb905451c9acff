"""The samplers by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hpo.errors import lookup
from hpo.samplers.adaptive import AdaptiveSampler, Learning
from hpo.samplers.apart import ApartSampler
from hpo.samplers.base import Sampler
from hpo.samplers.coarse_to_fine import CoarseToFineSampler
from hpo.samplers.grid import GridSampler
from hpo.samplers.options import batch_of, completed
from hpo.samplers.points import grid_size
from hpo.samplers.random import RandomSampler
from hpo.samplers.rounds import rounds_of
from hpo.samplers.sobol import SobolSampler
from hpo.study import Direction, StudySpec
from hpo.trial import TrialPlan

__all__ = ["SAMPLERS", "grid_size", "make_sampler", "preview"]


PATIENCE_S = 2.0  # a study's lease is renewed between two asks


def _seed(spec: StudySpec) -> int:
    return spec.seed if spec.sampler.seed is None else spec.sampler.seed


def _random(spec: StudySpec) -> Sampler:
    return RandomSampler(_seed(spec), spec.parameters)


def _sobol(spec: StudySpec) -> Sampler:
    return SobolSampler(_seed(spec), spec.parameters)


def _learning(spec: StudySpec) -> Learning:
    """What a learning sampler of the study is made from."""
    sampler = spec.sampler
    batch = batch_of(sampler.name, sampler.batch, sampler.options, spec.trials)
    objectives = spec.objectives or ((spec.objective,) if spec.objective else ())
    return Learning(
        engine=sampler.name,
        space=spec.parameters,
        directions=tuple(one.direction or Direction.MINIMIZE for one in objectives) or (Direction.MINIMIZE,),
        seed=_seed(spec),
        batch=batch,
        options=completed(sampler.name, batch, sampler.options),
        constrained=bool(spec.constraints),
    )


def _adaptive(spec: StudySpec) -> Sampler:
    return AdaptiveSampler(_learning(spec), total=spec.trials or 0, patience_s=PATIENCE_S)


def _apart(spec: StudySpec) -> Sampler:
    return ApartSampler(_learning(spec), spec.trials or 0)


def _grid(spec: StudySpec) -> Sampler:
    return GridSampler(spec.parameters)


def _coarse_to_fine(spec: StudySpec) -> Sampler:
    direction = spec.objective.direction if spec.objective else None
    return CoarseToFineSampler(
        _seed(spec),
        spec.parameters,
        rounds=rounds_of(spec),
        direction=direction or Direction.MINIMIZE,
        widen=spec.sampler.widen,
    )


SAMPLERS: dict[str, Callable[[StudySpec], Sampler]] = {
    "random": _random,
    "grid": _grid,
    "coarse_to_fine": _coarse_to_fine,
    "sobol": _sobol,
    "tpe": _adaptive,
    "cmaes": _adaptive,
    "gp": _apart,
    "nsga2": _adaptive,
}


FREE = ("random", "grid", "sobol")  # their plans depend on no result


def make_sampler(spec: StudySpec) -> Sampler:
    """The sampler a study asks for. Raises UnknownName, SpecError for a grid without end."""
    return lookup(SAMPLERS, spec.sampler.name, "sampler")(spec)


def preview(spec: StudySpec, n: int) -> list[TrialPlan]:
    """About n plans that stand for a whole study, for estimates: results that it may wait for are not known.

    Those of a sampler that learns are drawn from the study file's ranges; of a search in rounds they stand
    for all rounds alike, with the epochs of each.
    """
    total = spec.trials or n
    n = min(n, total)
    if spec.sampler.name in FREE:
        return make_sampler(spec).ask(0, n)
    plans = _random(spec).ask(0, n)
    if spec.sampler.name != "coarse_to_fine":
        return plans
    rounds = rounds_of(spec)
    return [replace(plan, epochs=rounds.at(place * total // n).epochs) for place, plan in enumerate(plans)]
