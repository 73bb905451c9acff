"""How far a search may go beyond the written ranges: one decade, or one width, inside what is legal."""

from __future__ import annotations

from dataclasses import replace

from hpo.hyperparams import HYPERPARAMETERS
from hpo.space import Parameter, Range, SearchSpace
from hpo.study import StudySpec

DECADE = 10.0


def stored_space(spec: StudySpec) -> SearchSpace:
    """The search space whose ranges the database keeps with every value.

    It is the study file's; with `sampler.widen` its ranges reach as far as the search ever may, from the
    first trial on: Optuna wants one range of a parameter in the whole study, and each value inside it.
    """
    return reach_of(spec.parameters) if spec.sampler.widen else spec.parameters


def reach_of(space: SearchSpace) -> SearchSpace:
    """The space with each range of floats as far as widening may take it.

    Whole numbers, steps and choices stay as written: networks and batches should not outgrow what was asked
    for, and a lattice says which points are meant.
    """
    return SearchSpace({name: _reach(name, parameter) for name, parameter in space.parameters.items()})


def _reach(name: str, parameter: Parameter) -> Parameter:
    """
    >>> _reach("learning_rate", Range(low=1e-4, high=1e-2, log=True, type="float")).high
    0.1
    >>> wide = _reach("dropout", Range(low=0.0, high=0.6, type="float"))
    >>> wide.low, wide.high
    (0.0, 0.8)
    """
    if not isinstance(parameter, Range) or parameter.is_int or parameter.step is not None:
        return parameter
    low, high = parameter.low, parameter.high
    width = high - low
    lowest, highest = (low / DECADE, high * DECADE) if parameter.log else (low - width, high + width)
    return replace(parameter, low=_legal_low(name, low, lowest), high=_legal_high(name, high, highest))


def _legal_low(name: str, written: float, wanted: float) -> float:
    """The lower end, inside what the hyperparameter may be; halfway to a limit that is itself not allowed."""
    h = HYPERPARAMETERS.get(name)
    if h is None or wanted > h.low:
        return wanted
    return (written + h.low) / 2 if h.low_open else h.low


def _legal_high(name: str, written: float, wanted: float) -> float:
    h = HYPERPARAMETERS.get(name)
    if h is None or wanted < h.high:
        return wanted
    return (written + h.high) / 2 if h.high_open else h.high
