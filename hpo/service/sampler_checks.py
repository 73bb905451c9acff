"""What a study file may say of its sampler beyond the types of its keys."""

from __future__ import annotations

from hpo.errors import SpecError
from hpo.samplers.rounds import rounds_of
from hpo.service.learner_checks import check_learner
from hpo.study import StudySpec

COARSE_TO_FINE = "coarse_to_fine"
WITHOUT_OPTIONS = ("random", "grid", "sobol")


def check_sampler(spec: StudySpec) -> None:
    """Raises SpecError when the sampler's keys do not fit the sampler, or the study does not."""
    name = spec.sampler.name
    if spec.sampler.widen and name != COARSE_TO_FINE:
        raise SpecError(
            f"only coarse_to_fine goes beyond the written ranges, not {name}; leave it out, or write "
            "sampler: {name: coarse_to_fine, widen: true}",
            field="sampler.widen",
        )
    if spec.sampler.options and name in WITHOUT_OPTIONS:
        raise SpecError(f"{name} has no options; leave it out", field="sampler.options")
    check_learner(spec)
    if name == COARSE_TO_FINE:
        if not spec.parameters.searched:
            raise SpecError(
                "coarse_to_fine needs at least one parameter with several values", field="parameters"
            )
        if spec.pruner.name != "none":
            raise SpecError(
                "coarse_to_fine trains its early rounds for few epochs instead, and a round waits for all trials "
                "before it, as a pruner's bracket may for the next round; leave the pruner out",
                field="pruner",
            )
        rounds_of(spec)
