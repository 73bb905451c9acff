"""What a study file means whose trials are trained elsewhere: any parameters, any metric, no data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from hpo.durations import seconds_of
from hpo.errors import SpecError
from hpo.pruners.own import OWN, READS, completed
from hpo.service.objectives import ON_DIVERGED, check_several, objectives_of
from hpo.space import Parameter
from hpo.study import COSTS, METRICS, ObjectiveSpec, PrunerSpec, StudySpec

MAX_NAME = 128
MAX_METRIC = 64
SHORTEST_LEASE_S = 1.0
LONGEST_LEASE_S = 7 * 86_400.0
# Letters of any language and digits, with _ . - / : @ between them.
_NAME = re.compile(r"\w[\w.\-/:@]*")
JUDGES = ("none", *OWN)
KEYS = ("min_epochs", "factor")  # of `pruner`


class _Senseless(NamedTuple):
    """A key that only hpo's own trainer reads: where, what it holds, what it holds when not used, what to do."""

    field: str
    value: Callable[[StudySpec], Any]
    unused: Any
    why: str


_SENSELESS = (
    _Senseless("data", lambda s: s.data, None, "who trains brings the data; leave it out"),
    _Senseless(
        "repeats", lambda s: s.repeats, 1, "a trial has one value; leave it out, and tell the mean of several"
    ),
    _Senseless(
        "early_stopping",
        lambda s: s.early_stopping,
        None,
        "who trains decides when to stop; leave it out, or name a pruner",
    ),
    _Senseless("refit", lambda s: s.refit, False, "there is no model here; leave it out"),
    _Senseless(
        "constraints",
        lambda s: dict(s.constraints),
        {},
        "who trains judges them; leave it out, and tell {state: FAIL, reason: infeasible}",
    ),
)


def check_own_name(name: str, _parameter: Parameter) -> None:
    """Raises SpecError unless a parameter of whoever trains may be called that."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise SpecError(
            f"a name is 1 to {MAX_NAME} letters, digits or _ with . - / : @ between them, got {name[:MAX_NAME]!r}"
        )


def check_external(spec: StudySpec) -> None:
    """Raises SpecError for what makes no sense where trials are trained elsewhere."""
    for key in _SENSELESS:
        if key.value(spec) != key.unused:
            raise SpecError(f"counts only with trainer: mlp: {key.why}", field=key.field)
    _check_objectives(spec)
    _check_lease(spec.limits.lease)
    _check_judge(spec)


def _check_objectives(spec: StudySpec) -> None:
    found = objectives_of(spec)
    if not found:
        raise SpecError(
            "is needed with trainer: external; write objective: {metric: loss, direction: minimize}",
            field="objective",
        )
    seen: set[str] = set()
    for place, one in enumerate(found):
        field = f"objective.{place}" if len(found) > 1 else "objective"
        _check_objective(one, field)
        if one.metric in seen:
            raise SpecError(f"{one.metric} stands in the list twice; drop one", field=f"{field}.metric")
        seen.add(one.metric)
    check_several(spec)


def _check_objective(one: ObjectiveSpec, field: str) -> None:
    if not one.metric.strip() or len(one.metric) > MAX_METRIC or not one.metric.isprintable():
        raise SpecError(
            f"must be 1 to {MAX_METRIC} printable letters, got {one.metric[:MAX_METRIC]!r}",
            field=f"{field}.metric",
        )
    if one.direction is None and one.metric not in METRICS | COSTS:
        raise SpecError(
            f"is needed: only you know whether a large {one.metric} is good; write minimize or maximize",
            field=f"{field}.direction",
        )
    if one.on_diverged != ON_DIVERGED[0]:
        raise SpecError(
            "counts only with trainer: mlp; tell {state: FAIL, reason: diverged}, or the worst value",
            field=f"{field}.on_diverged",
        )


def _check_lease(lease: str | float | None) -> None:
    if lease is None:
        return
    try:
        seconds = seconds_of(lease)
    except SpecError as error:
        raise SpecError(error.detail, field="limits.lease") from None
    if not SHORTEST_LEASE_S <= seconds <= LONGEST_LEASE_S:
        raise SpecError(f"must be between 1s and 7d, got {lease!r}", field="limits.lease")


def _check_judge(spec: StudySpec) -> None:
    """Raises SpecError for a pruner that cannot judge trials one by one, or keys that it does not read."""
    pruner = spec.pruner
    if pruner.name not in JUDGES:
        raise SpecError(
            f"{pruner.name} judges only trials that hpo trains; write {', '.join(OWN)} or none",
            field="pruner.name",
        )
    reads = tuple(key for key in READS.get(pruner.name, ()) if key in KEYS)
    for key in (*KEYS, "bracket", "options"):
        if getattr(pruner, key) and key not in reads:
            why = "reads " + " and ".join(reads) if reads else "is no pruner that reads it"
            raise SpecError(
                f"{pruner.name} {why} with trainer: external; leave it out", field=f"pruner.{key}"
            )
    if pruner.name == "none":
        return
    if len(objectives_of(spec)) > 1:
        raise SpecError(
            f"{pruner.name} judges by one metric; give one, or leave the pruner out", field="objective"
        )
    if spec.epochs is None:
        raise SpecError(
            f"is needed by {pruner.name}: the most epochs that a trial may report", field="epochs"
        )
    for key, least in (("min_epochs", 1), ("factor", 2)):
        value = getattr(pruner, key)
        if value is not None and value < least:
            raise SpecError(f"must be >= {least}, got {value}", field=f"pruner.{key}")
    if (pruner.min_epochs or 1) >= spec.epochs:
        raise SpecError(
            f"must be below epochs ({spec.epochs}), or nobody is ever judged, got {pruner.min_epochs or 1}; "
            "make it smaller, or leave the pruner out",
            field="pruner.min_epochs",
        )


def completed_judge(spec: StudySpec) -> PrunerSpec:
    """The pruner with its defaults: trials are compared with all that came before, so there are no brackets to size."""
    if spec.pruner.name not in OWN or spec.epochs is None:
        return spec.pruner
    return replace(completed(spec.pruner, spec.epochs), bracket=None)


def complete_directions(spec: StudySpec) -> StudySpec:
    """The study with every objective's direction: as given, or as the metric's name has it."""
    known = METRICS | COSTS
    found = tuple(
        replace(one, direction=one.direction or known.get(one.metric)) for one in objectives_of(spec)
    )
    return replace(spec, objective=found[0], objectives=found if len(found) > 1 else ())
