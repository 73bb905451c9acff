"""The pruners by name."""

from __future__ import annotations

from hpo.pruners.base import Pruner
from hpo.pruners.names import NAMES
from hpo.pruners.optuna_pruner import OptunaPruner
from hpo.pruners.own import OWN, own_pruner
from hpo.study import Direction, StudySpec

__all__ = ["OWN", "make_pruner"]

NO_JUDGES = ("none", "population")  # nobody ends trials of these


def make_pruner(spec: StudySpec, direction: Direction) -> Pruner | None:
    """The pruner a completed study asks for, if any. Raises UnknownName."""
    if spec.pruner.name in NO_JUDGES or spec.epochs is None:
        return None
    if spec.pruner.name in NAMES:
        return OptunaPruner(spec.pruner, spec.epochs, direction)
    return own_pruner(spec.pruner, spec.epochs, direction)
