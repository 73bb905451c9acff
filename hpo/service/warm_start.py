"""Whether the studies that a study file wants to begin from are there, and were about the same thing."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.errors import SpecError, StudyNotFound, suggest
from hpo.storage.base import Storage
from hpo.study import ObjectiveSpec, Study, StudySpec


def check_warm_start(storage: Storage, spec: StudySpec) -> None:
    """Raises SpecError for a study that is not there, stands in the list twice or had other objectives.

    spec: completed
    """
    wanted = [(one.metric, one.direction) for one in _objectives(spec)]
    for place, name in enumerate(spec.warm_start):
        field = f"warm_start[{place}]"
        if name in spec.warm_start[:place]:
            raise SpecError(f"{name} stands in the list twice; drop one", field=field)
        found = [(one.metric, one.direction) for one in _objectives(_study(storage, name, field))]
        if found != wanted:
            raise SpecError(
                f"study {name!r} was to {_words(found)}, this one is to {_words(wanted)}; leave it out",
                field=field,
            )


def _study(storage: Storage, name: str, field: str) -> Study:
    try:
        return storage.get_study(name)
    except StudyNotFound:
        hint = suggest(name, storage.study_names())
        raise SpecError(
            f"no study is called {name!r}{hint or '; `hpo ls` shows the names there are'}", field=field
        ) from None


def _objectives(study: Study | StudySpec) -> tuple[ObjectiveSpec, ...]:
    if study.objectives:
        return study.objectives
    if isinstance(study, Study):
        return (ObjectiveSpec(metric=study.metric, direction=study.direction),)
    return () if study.objective is None else (study.objective,)


def _words(objectives: Sequence[tuple[str, object]]) -> str:
    return " and ".join(f"{direction} {metric}" for metric, direction in objectives)
