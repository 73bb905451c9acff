"""What a study makes good, and what its trials must meet: objectives and constraints, checked and completed."""

from __future__ import annotations

from dataclasses import replace

from hpo.constraints import constraints_of, metrics_read
from hpo.dataset import Task
from hpo.errors import SpecError, UnknownName, lookup
from hpo.study import (
    CLASSIFICATION_METRICS,
    COSTS,
    METRICS,
    REGRESSION_METRICS,
    ObjectiveSpec,
    StudySpec,
)

DEFAULT_METRIC = {Task.CLASSIFICATION: "accuracy", Task.REGRESSION: "rmse"}
ON_DIVERGED = ("fail", "worst")
# Samplers that move towards one best value; the others propose without values, or weigh several.
OF_ONE_OBJECTIVE = ("coarse_to_fine", "cmaes")
_METRICS_OF = {Task.CLASSIFICATION: CLASSIFICATION_METRICS, Task.REGRESSION: REGRESSION_METRICS}


def objectives_of(spec: StudySpec) -> tuple[ObjectiveSpec, ...]:
    """All objectives of a study: one, several, or none in a file that leaves it to the task."""
    return spec.objectives or ((spec.objective,) if spec.objective is not None else ())


def metrics_named(spec: StudySpec) -> tuple[str, ...]:
    """The metrics that objectives and constraints of a study read; costs are none."""
    named = (one.metric for one in objectives_of(spec) if one.metric in METRICS)
    return tuple(dict.fromkeys((*named, *metrics_read(constraints_of(spec.constraints)))))


def check_objectives(spec: StudySpec) -> None:
    """Raises SpecError unless metrics and constraints are known and go together."""
    several = len(spec.objectives) > 1
    seen: set[str] = set()
    for place, one in enumerate(objectives_of(spec)):
        field = f"objective.{place}" if several else "objective"
        _check_objective(one, field, first=place == 0, seen=seen)
        seen.add(one.metric)
    check_several(spec)
    constraints_of(spec.constraints)


def check_several(spec: StudySpec) -> None:
    """Raises SpecError when a sampler of one objective has several."""
    if len(spec.objectives) > 1 and spec.sampler.name in OF_ONE_OBJECTIVE:
        raise SpecError(
            f"{spec.sampler.name} searches for one best value, and there are {len(spec.objectives)} objectives; "
            "write nsga2, tpe or random",
            field="sampler.name",
        )


def _check_objective(one: ObjectiveSpec, field: str, *, first: bool, seen: set[str]) -> None:
    try:
        lookup(METRICS | COSTS, one.metric, "metric")
    except UnknownName as error:
        raise UnknownName(error.detail, field=f"{field}.metric") from None
    if one.metric in seen:
        raise SpecError(f"{one.metric} stands in the list twice; drop one", field=f"{field}.metric")
    if first and one.metric in COSTS:
        raise SpecError(
            f"{one.metric} is a cost, and trials are judged by a metric while they train; write one before it, "
            f'like objective: [accuracy, {one.metric}], or bound it with constraints: {{{one.metric}: "<= …"}}',
            field=f"{field}.metric",
        )
    if one.on_diverged not in ON_DIVERGED:
        raise SpecError(
            f"must be {' or '.join(ON_DIVERGED)}, got {one.on_diverged!r}", field=f"{field}.on_diverged"
        )
    if not first and one.on_diverged != ON_DIVERGED[0]:
        raise SpecError("stands with the first objective, for all of them", field=f"{field}.on_diverged")


def complete_objectives(spec: StudySpec, task: Task) -> StudySpec:
    """The study with every objective's direction, and the task's usual one where there is none.

    Raises SpecError when an objective or a constraint reads a metric that the task does not have.
    """
    found = objectives_of(spec) or (ObjectiveSpec(metric=DEFAULT_METRIC[task]),)
    several = len(found) > 1
    for place, one in enumerate(found):
        _check_of_task(one.metric, task, f"objective.{place}.metric" if several else "objective.metric")
    for constraint in constraints_of(spec.constraints):
        for metric in metrics_read([constraint]):
            _check_of_task(metric, task, f"constraints.{constraint.expression}")
    known = METRICS | COSTS
    completed = tuple(replace(one, direction=one.direction or known[one.metric]) for one in found)
    return replace(spec, objective=completed[0], objectives=completed if several else ())


def _check_of_task(metric: str, task: Task, field: str) -> None:
    if metric in METRICS and metric not in _METRICS_OF[task]:
        raise SpecError(
            f"{metric} is no metric of {task}; there are {', '.join(_METRICS_OF[task])}", field=field
        )


def in_words(spec: StudySpec) -> str:
    """The objectives as a sentence has them.

    >>> from hpo.space import SearchSpace
    >>> from hpo.study import Direction
    >>> accuracy = ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE)
    >>> size = ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE)
    >>> in_words(StudySpec(parameters=SearchSpace({}), objective=accuracy, objectives=(accuracy, size)))
    'maximize accuracy and minimize n_parameters'
    """
    words = [f"{one.direction or ''} {one.metric}".strip() for one in objectives_of(spec)]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
