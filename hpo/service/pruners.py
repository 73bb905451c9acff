"""What a study file may say of a pruner that ends trials, and what it means when it says less."""

from __future__ import annotations

import importlib
from dataclasses import replace

from hpo.errors import SpecError
from hpo.pruners.names import DEFAULT_BRACKET, NAMES
from hpo.pruners.own import OWN, READS, completed, own_pruner
from hpo.study import Direction, PrunerSpec, StudySpec

KEYS = ("min_epochs", "factor", "bracket")
MOST = 4096  # trials of a bracket
LEARNERS = ("tpe", "cmaes", "gp", "nsga2")  # samplers that wait for results


def completed_pruner(spec: StudySpec, *, batch: int | None) -> StudySpec:
    """The study with its pruner's keys, and batches that hold whole brackets; one without a pruner as it is.

    batch: as the study file has it
    """
    if spec.pruner.name not in (*OWN, *NAMES) or spec.epochs is None:
        return spec
    _check_keys(spec.pruner, spec.epochs)
    pruner, sampler = spec.pruner, spec.sampler
    if pruner.name in OWN:
        pruner = completed(pruner, spec.epochs)
    elif pruner.bracket is None:
        pruner = replace(pruner, bracket=DEFAULT_BRACKET)
    if sampler.name in LEARNERS and batch is None:
        sampler = replace(sampler, batch=max(sampler.batch or 1, _widest(pruner, spec.epochs)))
    return replace(spec, pruner=pruner, sampler=sampler)


def check_pruner(spec: StudySpec) -> None:
    """Raises SpecError for the first thing that cannot be, with its place and a cure."""
    pruner = spec.pruner
    if pruner.name == "none":
        for key in (*KEYS, "options"):
            if getattr(pruner, key):
                raise SpecError("counts only with a pruner; name one, or leave it out", field=f"pruner.{key}")
    if pruner.name not in (*OWN, *NAMES):
        return
    _check_keys(pruner, spec.epochs)
    if len(spec.objectives) > 1:
        raise SpecError(
            f"{pruner.name} judges by one metric; give one, or leave the pruner out", field="objective"
        )
    if spec.epochs is None:
        return
    widest = _widest(pruner, spec.epochs)
    if widest > MOST:
        raise SpecError(
            f"its largest bracket would have {widest:,} trials, at most {MOST:,}; make min_epochs or factor larger",
            field="pruner",
        )
    batch = spec.sampler.batch
    if spec.sampler.name in LEARNERS and batch is not None and batch < widest:
        raise SpecError(
            f"must be at least {widest}, as many trials as are judged together, or be left out, got {batch}",
            field="sampler.batch",
        )


def _check_keys(pruner: PrunerSpec, epochs: int | None) -> None:
    for key in KEYS:
        if key not in READS.get(pruner.name, ("bracket",)) and getattr(pruner, key) is not None:
            why = "makes its own brackets" if key == "bracket" else "does not read it"
            raise SpecError(f"{pruner.name} {why}; leave it out", field=f"pruner.{key}")
    if pruner.name in NAMES:
        # Only a study that names one of Optuna's pruners waits until Optuna is loaded.
        importlib.import_module("hpo.pruners.optuna_pruner").make(pruner)
    elif pruner.options:
        name = next(iter(pruner.options))
        raise SpecError(
            f"{pruner.name} has no options; it reads {', '.join(READS[pruner.name])}",
            field=f"pruner.options.{name}",
        )
    for key, least in (("min_epochs", 1), ("factor", 2), ("bracket", 2)):
        value = getattr(pruner, key)
        if value is not None and value < least:
            raise SpecError(f"must be >= {least}, got {value}", field=f"pruner.{key}")
    if pruner.bracket is not None and pruner.bracket > MOST:
        raise SpecError(f"must be <= {MOST:,}, got {pruner.bracket:,}", field="pruner.bracket")
    least_epochs = 1 if pruner.min_epochs is None else pruner.min_epochs
    if epochs is not None and least_epochs >= epochs and pruner.name in OWN:
        raise SpecError(
            f"must be below epochs ({epochs}), or nobody is ever judged, got {least_epochs}; "
            "make it smaller, or leave the pruner out",
            field="pruner.min_epochs",
        )


def _widest(pruner: PrunerSpec, epochs: int) -> int:
    if pruner.name in NAMES:
        return pruner.bracket or DEFAULT_BRACKET
    return own_pruner(pruner, epochs, Direction.MINIMIZE).widest
