"""What a study file may already say but this version does not do yet: refused in one sentence, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hpo.errors import NotYet, UnknownName, lookup
from hpo.pruners.names import NAMES
from hpo.study import StudySpec

SAMPLERS = ("random", "grid", "coarse_to_fine", "sobol", "tpe", "cmaes", "gp", "nsga2")
SAMPLERS_LATER: tuple[str, ...] = ()
PRUNERS = ("none", "median", "halving", "hyperband", "population", *NAMES)
PRUNERS_LATER: tuple[str, ...] = ()
TRAINERS = ("mlp",)
TRAINERS_LATER = ("external",)


class _Later(NamedTuple):
    """A key whose machinery comes later: where, what it holds, what it holds when not used, what to do."""

    field: str
    value: Callable[[StudySpec], Any]
    unused: Any
    cure: str


_KEYS = (_Later("limits.lease", lambda s: s.limits.lease, None, "leave it out"),)


def refuse_later(spec: StudySpec) -> None:
    """Raises NotYet for the first thing of a study that comes with a later version, UnknownName for no such name."""
    _check_choice("trainer", spec.trainer, TRAINERS, TRAINERS_LATER, "trainer")
    _check_choice("sampler.name", spec.sampler.name, SAMPLERS, SAMPLERS_LATER, "sampler")
    _check_choice("pruner.name", spec.pruner.name, PRUNERS, PRUNERS_LATER, "pruner")
    for key in _KEYS:
        value = key.value(spec)
        if value is not None and value != key.unused:
            raise NotYet(f"comes with a later version; {key.cure}", field=key.field)


def _check_choice(field: str, name: str, now: tuple[str, ...], later: tuple[str, ...], what: str) -> None:
    if name in later:
        raise NotYet(f"the {what} {name} comes with a later version; write {' or '.join(now)}", field=field)
    try:
        lookup(dict.fromkeys((*now, *later)), name, what)
    except UnknownName as error:
        raise UnknownName(error.detail, field=field) from None
