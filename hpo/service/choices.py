"""The names that a study file may choose from: who trains, who proposes, who judges."""

from __future__ import annotations

from hpo.errors import UnknownName, lookup
from hpo.pruners.names import NAMES
from hpo.study import TRAINERS, StudySpec

SAMPLERS = ("random", "grid", "coarse_to_fine", "sobol", "tpe", "cmaes", "gp", "nsga2")
PRUNERS = ("none", "median", "halving", "hyperband", "population", *NAMES)


def check_choices(spec: StudySpec) -> None:
    """Raises UnknownName for a trainer, a sampler or a pruner that there is not."""
    for field, name, known, what in (
        ("trainer", spec.trainer, TRAINERS, "trainer"),
        ("sampler.name", spec.sampler.name, SAMPLERS, "sampler"),
        ("pruner.name", spec.pruner.name, PRUNERS, "pruner"),
    ):
        try:
            lookup(dict.fromkeys(known), name, what)
        except UnknownName as error:
            raise UnknownName(error.detail, field=field) from None
