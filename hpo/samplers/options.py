"""What `sampler.options` may hold: the arguments of Optuna's classes that a study file can say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.errors import SpecError, UnknownName, suggest


@dataclass(frozen=True, slots=True)
class Option:
    """A number between low and high, or true or false. kind: int, float or bool"""

    kind: type
    low: float = -math.inf
    high: float = math.inf


_FLAG = Option(bool)
_SHARE = Option(float, 0, 1)
_COUNT = Option(int, 0)

OPTIONS: dict[str, dict[str, Option]] = {
    "tpe": {
        "n_startup_trials": _COUNT,
        "n_ei_candidates": Option(int, 1),
        "multivariate": _FLAG,
        "group": _FLAG,
        "constant_liar": _FLAG,
    },
    "cmaes": {
        "n_startup_trials": _COUNT,
        "consider_pruned_trials": _FLAG,
        "popsize": Option(int, 2),
        "use_separable_cma": _FLAG,
        "with_margin": _FLAG,
        "lr_adapt": _FLAG,
    },
    "gp": {"n_startup_trials": _COUNT, "deterministic_objective": _FLAG},
    "nsga2": {
        "population_size": Option(int, 2),
        "mutation_prob": _SHARE,
        "crossover_prob": _SHARE,
        "swapping_prob": _SHARE,
    },
}

# Arguments of Optuna's classes that are no options here, and why.
_OBJECT = "is a Python object, which a study file cannot say; leave it out"
_GOING = "is on its way out of Optuna; leave it out"
_OURS = "is not needed: it is always off"
REFUSED: dict[str, str] = {
    "seed": "stands beside options; write sampler: {seed: 0}",
    "constraints_func": "is a Python object; write constraints at the top of the study file",
    "source_trials": "is a Python object; write warm_start with the names of studies",
    **dict.fromkeys(
        (
            "independent_sampler",
            "mutation",
            "crossover",
            "elite_population_selection_strategy",
            "child_generation_strategy",
            "after_trial_strategy",
        ),
        _OBJECT,
    ),
    **dict.fromkeys(
        (
            "consider_prior",
            "prior_weight",
            "consider_magic_clip",
            "consider_endpoints",
            "gamma",
            "weights",
            "x0",
            "sigma0",
            "restart_strategy",
            "inc_popsize",
        ),
        _GOING,
    ),
    "warn_independent_sampling": _OURS,
}

# Options of which only one can be on.
_EITHER = (
    ("cmaes", "use_separable_cma", "with_margin"),
    ("cmaes", "use_separable_cma", "lr_adapt"),
    ("cmaes", "with_margin", "lr_adapt"),
)

LARGEST_BATCH = {"nsga2": 50}  # unless given, Optuna's population; of the others
USUAL_BATCH = 32
SMALLEST_BATCH = 4
BATCHES = 12  # a search of fewer learns too seldom: the first two batches know of no result


def batch_of(sampler: str, batch: int | None, options: Mapping[str, Any], trials: int | None) -> int:
    """How many trials a learning sampler is asked for at once: as given, or what suits the number of trials.

    >>> [batch_of("tpe", None, {}, trials) for trials in (20, 100, 240, 1000)]
    [4, 8, 20, 32]
    >>> batch_of("nsga2", None, {"population_size": 20}, 1000)
    20
    """
    if batch is not None:
        return batch
    if sampler == "nsga2" and "population_size" in options:
        population: int = options["population_size"]
        return population
    largest = LARGEST_BATCH.get(sampler, USUAL_BATCH)
    return largest if trials is None else min(largest, max(SMALLEST_BATCH, trials // BATCHES))


def completed(sampler: str, batch: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with what follows from the batch: generations of one batch.

    >>> completed("cmaes", 16, {}), completed("nsga2", 16, {"population_size": 8})
    ({'popsize': 16}, {'population_size': 8})
    """
    size = {"cmaes": "popsize", "nsga2": "population_size"}.get(sampler)
    return dict(options) if size is None else {size: max(2, batch), **options}


def check_options(sampler: str, options: Mapping[str, Any], place: str = "sampler.options") -> None:
    """Raises SpecError for an option that the sampler does not have, or a value that it cannot take."""
    known = OPTIONS[sampler]
    for name, value in options.items():
        field = f"{place}.{name}"
        if name in REFUSED:
            raise SpecError(REFUSED[name], field=field)
        if name not in known:
            hint = suggest(name, known) or f"; there are {', '.join(known)}"
            raise UnknownName(f"{sampler} has no such option{hint}", field=field)
        _check_value(known[name], value, field)
    for of, one, other in _EITHER:
        if of == sampler and options.get(one) and options.get(other):
            raise SpecError(f"cannot stand beside {one}; drop one", field=f"{place}.{other}")
    if options.get("group") and options.get("multivariate") is False:
        raise SpecError("needs multivariate: true; drop one", field=f"{place}.group")


def _check_value(option: Option, value: Any, field: str) -> None:
    if option.kind is bool:
        if not isinstance(value, bool):
            raise SpecError(f"must be true or false, got {value!r}", field=field)
        return
    kinds = int if option.kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        what = "a whole number" if option.kind is int else "a number"
        raise SpecError(f"must be {what}, got {value!r}", field=field)
    if not option.low <= value <= option.high:
        bound = f">= {option.low:g}" if value < option.low else f"<= {option.high:g}"
        raise SpecError(f"must be {bound}, got {value!r}", field=field)
