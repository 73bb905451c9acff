"""What a study file may say of samplers that learn: batches, options, and what they need of the parameters."""

from __future__ import annotations

from hpo.errors import SpecError
from hpo.samplers.options import OPTIONS, check_options
from hpo.space import Range, SearchSpace
from hpo.study import StudySpec

LEARNING = tuple(OPTIONS)
MAX_BATCH = 10_000


def check_learner(spec: StudySpec) -> None:
    """Raises SpecError unless what only learning samplers have is said of one, and it can search the parameters."""
    sampler = spec.sampler
    learns = sampler.name in LEARNING
    if sampler.batch is not None:
        if not learns:
            raise SpecError(_not_its_own(sampler.name), field="sampler.batch")
        if not 1 <= sampler.batch <= MAX_BATCH:
            bound = ">= 1" if sampler.batch < 1 else f"<= {MAX_BATCH:,}"
            raise SpecError(f"must be {bound}, got {sampler.batch}", field="sampler.batch")
    if learns:
        check_options(sampler.name, sampler.options)
    if spec.warm_start and not learns:
        raise SpecError(
            f"{sampler.name} learns nothing from trials; write sampler: tpe, or leave it out",
            field="warm_start",
        )
    if sampler.name == "cmaes":
        _check_numbers(spec.parameters)


def _not_its_own(name: str) -> str:
    return f"counts only with {', '.join(LEARNING[:-1])} and {LEARNING[-1]}, and the sampler is {name}; leave it out"


def _check_numbers(space: SearchSpace) -> None:
    """Raises SpecError unless there is a range that every trial has: CMA-ES moves nothing else."""
    if not any(isinstance(p, Range) and p.low < p.high and not p.when for p in space.parameters.values()):
        raise SpecError(
            "cmaes moves numbers, and no range without a condition is searched; write sampler: tpe",
            field="sampler.name",
        )
