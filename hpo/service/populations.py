"""What a study file with `pruner: population` may say, and what it means when it says less."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpo.constraints import constraints_of
from hpo.errors import SpecError, UnknownName, lookup
from hpo.evolution import Evolution
from hpo.hyperparams import HYPERPARAMETERS, check_value
from hpo.pruners.population import default_every, default_size, movable
from hpo.space import Choice, Fixed, Parameter, SearchSpace
from hpo.study import PrunerSpec, StudySpec

POPULATION = "population"
SAMPLERS = ("random", "grid", "sobol")  # those that give all trials of a population at once
MOST = 4096  # trials of a population
_UNSAID = Evolution(space=SearchSpace({}), settled={}, params={})
DEFAULTS: dict[str, Any] = {
    "quantile": _UNSAID.quantile,
    "perturb": list(_UNSAID.perturb),
    "resample": _UNSAID.resample,
}
OF_A_SCHEDULE = ("schedule", "until")
_BUDGETS = ("epochs", "patience", "min_delta")
_WITH_OWN_WEIGHTS = ("maxout", "prelu")


def completed(spec: StudySpec) -> PrunerSpec:
    """The pruner with size, generation and options filled in; another one, or one that replays, as it is."""
    pruner = spec.pruner
    if pruner.name != POPULATION or "schedule" in pruner.options:
        return pruner
    return replace(
        pruner,
        bracket=pruner.bracket or default_size(spec.trials or 0),
        min_epochs=pruner.min_epochs or default_every(spec.epochs or 0),
        options=DEFAULTS | dict(pruner.options),
    )


def check_population(spec: StudySpec) -> None:
    """Raises SpecError for the first thing that a population cannot be or do, with its place and a cure."""
    if spec.pruner.name != POPULATION:
        return
    options = spec.pruner.options
    for name in options:
        try:
            lookup(dict.fromkeys((*DEFAULTS, *OF_A_SCHEDULE)), name, "option of a population")
        except UnknownName as error:
            raise UnknownName(error.detail, field=f"pruner.options.{name}") from None
    if spec.pruner.factor is not None:
        raise SpecError("counts only for halving and hyperband; leave it out", field="pruner.factor")
    if "schedule" in options or "until" in options:
        _check_replay(spec)
        return
    _check_options(options)
    _check_sizes(spec)
    if len(spec.objectives) > 1:
        raise SpecError("a population is judged by one metric; give one", field="objective")
    if spec.sampler.name not in SAMPLERS:
        raise SpecError(
            f"{spec.sampler.name} learns from trials that have ended, and those of a population begin together; "
            f"write {', '.join(SAMPLERS[:-1])} or {SAMPLERS[-1]}",
            field="sampler.name",
        )
    _check_space(spec.parameters)
    moves = movable(spec.parameters)
    for one in constraints_of(spec.constraints):
        for name in sorted(one.names & set(moves)):
            raise SpecError(
                f"a population moves {name} while it trains; bound it by low and high instead",
                field=f"constraints.{one.expression}",
            )


def _check_options(options: Mapping[str, Any]) -> None:
    place = "pruner.options"
    quantile, resample = (options.get(name, DEFAULTS[name]) for name in ("quantile", "resample"))
    if not _is_number(quantile) or not 0 < quantile <= 0.5:
        raise SpecError(f"must be a share above 0, at most 0.5, got {quantile!r}", field=f"{place}.quantile")
    if not _is_number(resample) or not 0 <= resample <= 1:
        raise SpecError(f"must be a probability from 0 to 1, got {resample!r}", field=f"{place}.resample")
    perturb = options.get("perturb", DEFAULTS["perturb"])
    two = isinstance(perturb, list | tuple) and len(perturb) == 2 and all(map(_is_number, perturb))
    if not two or not 0 < perturb[0] < 1 < perturb[1] <= 1000:
        raise SpecError(
            f"must be two factors, one below 1 and one above, like [0.8, 1.2], got {perturb!r}",
            field=f"{place}.perturb",
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_sizes(spec: StudySpec) -> None:
    size, every, trials = spec.pruner.bracket, spec.pruner.min_epochs, spec.trials
    if size is not None and not 2 <= size <= MOST:
        why = "a population of one trial has nobody to learn from" if size == 1 else f"at most {MOST:,}"
        raise SpecError(f"must be between 2 and {MOST:,}, got {size}: {why}", field="pruner.bracket")
    if every is not None and every < 1:
        raise SpecError(f"must be >= 1, got {every}", field="pruner.min_epochs")
    if every is not None and spec.epochs is not None and every >= spec.epochs:
        raise SpecError(
            f"must be below epochs ({spec.epochs}), or no generation ever ends, got {every}",
            field="pruner.min_epochs",
        )
    parallel = spec.limits.parallel
    if size is not None and parallel is not None and parallel < min(size, trials or size):
        raise SpecError(
            f"a population trains all of its {size} trials at once, got {parallel}; make pruner.bracket smaller, "
            "or leave it out",
            field="limits.parallel",
        )
    if spec.epochs == 1:
        raise SpecError("must be at least 2, or no generation ever ends", field="epochs")
    if trials == 1:
        raise SpecError(
            "a population of one trial has nobody to learn from; write at least 2, or pruner: none",
            field="trials",
        )
    if trials is not None and size is not None and trials % size == 1:
        raise SpecError(
            f"{trials} trials in populations of {size} leave one alone, with nobody to learn from; "
            f"write trials: {trials - 1}, or pruner.bracket: {size + 1 if trials % (size + 1) != 1 else trials}",
            field="pruner.bracket",
        )


def _check_space(space: SearchSpace) -> None:
    """Raises SpecError unless all trials can share one cohort, and something may move."""
    for name, parameter in space.parameters.items():
        place = f"parameters.{name}"
        if name in _BUDGETS and _varies(parameter):
            raise SpecError(
                "trials of a population train side by side for as long; give one value", field=place
            )
        if HYPERPARAMETERS[name].fusible:
            continue
        searched = [other for other in parameter.when if _varies(space.parameters[other])]
        if _varies(parameter) or searched:
            raise SpecError(
                "trials of a population train as one cohort and must share it; give one value"
                + (" without when" if searched else ""),
                field=place,
            )
    activation = space.parameters.get("activation")
    if isinstance(activation, Choice) and _varies(activation):
        for kind in _WITH_OWN_WEIGHTS:
            if kind in activation.choices:
                raise SpecError(
                    f"{kind} has weights that others do not have, so nobody could go on from it; leave it out, "
                    "or let it be the only one",
                    field="parameters.activation",
                )
    if not any(map(_varies, movable(space).values())):
        raise SpecError(
            "none of them may change while a trial trains, so a population has nothing to find; search "
            "learning_rate or another that may",
            field="parameters",
        )


def _varies(parameter: Parameter) -> bool:
    return not isinstance(parameter, Fixed) and parameter.n_points() != 1


def _check_replay(spec: StudySpec) -> None:
    """Raises SpecError unless the schedule of a replay says what trials can do."""
    options, place = spec.pruner.options, "pruner.options.schedule"
    beside = [n for n in DEFAULTS if n in options]
    beside_keys = [n for n in ("bracket", "min_epochs") if getattr(spec.pruner, n) is not None]
    for field in (*(f"pruner.options.{n}" for n in beside), *(f"pruner.{n}" for n in beside_keys)):
        raise SpecError("counts only without a schedule; leave one of them out", field=field)
    schedule, until = options.get("schedule"), options.get("until")
    most = spec.epochs if spec.epochs is not None else math.inf
    if until is not None and (not _is_epoch(until) or until > most):
        raise SpecError(f"must be an epoch from 1 to epochs, got {until!r}", field="pruner.options.until")
    if not isinstance(schedule, list | tuple):
        raise SpecError("must be a list of {epoch: …, learning_rate: …}", field=place)
    last = 0
    for at, entry in enumerate(schedule):
        if not isinstance(entry, Mapping) or not _is_epoch(entry.get("epoch")):
            raise SpecError("needs the epoch after which it counts: {epoch: 6, …}", field=f"{place}.{at}")
        if not last < entry["epoch"] < most:
            raise SpecError(
                f"must be after the one before it ({last}) and below epochs, got {entry['epoch']}",
                field=f"{place}.{at}.epoch",
            )
        last = entry["epoch"]
        _check_entry(f"{place}.{at}", entry)


def _is_epoch(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_entry(place: str, entry: Mapping[str, Any]) -> None:
    """Raises SpecError unless every value of a change may be taken by a trial that trains; None: its default."""
    for name, value in entry.items():
        if name == "epoch":
            continue
        field = f"{place}.{name}"
        try:
            known = lookup(HYPERPARAMETERS, name, "hyperparameter")
            if not known.fusible or name in _BUDGETS:
                raise SpecError("cannot change while a trial trains")
            if value is not None:
                check_value(name, value)
        except SpecError as error:
            raise type(error)(error.detail, field=field) from None
