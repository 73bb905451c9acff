"""What a study file may say beyond the types of its keys: limits, words, and keys that must fit each other."""

from __future__ import annotations

import math

from hpo.errors import SpecError
from hpo.hyperparams import HYPERPARAMETERS
from hpo.service.ending_checks import check_ending
from hpo.service.external_files import check_external
from hpo.service.objectives import check_objectives
from hpo.service.populations import check_population
from hpo.service.pruners import check_pruner
from hpo.service.sampler_checks import check_sampler
from hpo.service.settings_given import check_enqueue
from hpo.space import MAX_POINTS, Choice, Fixed, Parameter, Range, SearchSpace, Value
from hpo.study import (
    MAX_EPOCHS,
    MAX_FOLDS,
    MAX_REPEATS,
    MAX_TRIALS,
    SplitSpec,
    StudySpec,
    check_name,
)

TASKS = ("classification", "regression")
TARGET_SCALINGS = ("standardize", "none", "log1p")
MAX_RETRIES = 100
MAX_LABELS = 100
MAX_LABEL = 255  # characters of its name, and of its value
MAX_SEED = 2**63 - 1
MAX_PRIORITY = 1_000_000


def check_spec(spec: StudySpec) -> None:
    """Raises SpecError for the first thing that cannot be, with its place and a cure."""
    _check_numbers(spec)
    _check_words(spec)
    if spec.external:
        check_external(spec)
    else:
        _check_data(spec)
        check_together(spec)
    check_sampler(spec)
    check_ending(spec)
    if spec.sampler.name == "grid":
        check_grid(spec.parameters)
    check_enqueue(spec)
    if not spec.external:
        check_population(spec)
        check_pruner(spec)


def _check_data(spec: StudySpec) -> None:
    if spec.data is None:
        raise SpecError("is needed; write data: {source: digits}, or a file's path as source", field="data")
    if not spec.data.source.strip():
        raise SpecError("must be a built-in name, a file or an id, got nothing", field="data.source")
    if spec.limits.lease is not None:
        raise SpecError("counts only with trainer: external; leave it out", field="limits.lease")
    check_split(spec.data.split)


def _check_numbers(spec: StudySpec) -> None:
    data, limits = spec.data, spec.limits
    stopping = spec.early_stopping
    for field, value, low, high in (
        ("seed", spec.seed, 0, MAX_SEED),
        ("sampler.seed", spec.sampler.seed, 0, MAX_SEED),
        ("data.split.seed", data.split.seed if data else None, 0, MAX_SEED),
        ("trials", spec.trials, 1, MAX_TRIALS),
        ("epochs", spec.epochs, 1, MAX_EPOCHS),
        ("repeats", spec.repeats, 1, MAX_REPEATS),
        ("data.split.folds", data.split.folds if data else None, 2, MAX_FOLDS),
        ("early_stopping.patience", stopping.patience if stopping else None, 1, MAX_EPOCHS),
        ("early_stopping.min_delta", stopping.min_delta if stopping else None, 0, math.inf),
        ("limits.retries", limits.retries, 0, MAX_RETRIES),
        ("limits.parallel", limits.parallel, 1, MAX_TRIALS),
        ("limits.max_failed", limits.max_failed, 0, MAX_TRIALS),
        ("priority", spec.priority, -MAX_PRIORITY, MAX_PRIORITY),
        ("labels", len(spec.labels), 0, MAX_LABELS),
    ):
        if value is not None and not low <= value <= high:
            bound = f">= {low}" if value < low else f"<= {high:,}"
            what = f"{value} of them" if field == "labels" else f"{value}"
            raise SpecError(f"must be {bound}, got {what}", field=field)


def _check_words(spec: StudySpec) -> None:
    if spec.name is not None:
        check_name(spec.name)
    for label, value in spec.labels.items():
        if max(len(label), len(value)) > MAX_LABEL:
            raise SpecError(
                f"a label's name and its value are text of at most {MAX_LABEL} characters each, got "
                f"{len(label):,} and {len(value):,} of them ({label[:20]!r}: {value[:20]!r})",
                field="labels",
            )
    data = spec.data
    for field, word, words in (
        ("data.task", data and data.task, TASKS),
        ("data.target_scaling", data and data.target_scaling, TARGET_SCALINGS),
    ):
        if word is not None and word not in words:
            raise SpecError(f"must be {' or '.join(words)}, got {word!r}", field=field)
    if not spec.external:
        check_objectives(spec)


def check_split(split: SplitSpec) -> None:
    """Raises SpecError unless the parts leave rows to train on and the ways of splitting fit together."""
    place = "data.split"
    ways = [way for way in ("column", "groups", "order") if getattr(split, way) is not None]
    if len(ways) > 1:
        raise SpecError(f"cannot stand beside {ways[0]}; give one of them", field=f"{place}.{ways[1]}")
    for part in ("validation", "test"):
        share = getattr(split, part)
        if share is not None and split.column is not None:
            raise SpecError(
                "cannot stand beside column, which names the part of every row", field=f"{place}.{part}"
            )
        if share is not None and not 0 <= share < 1:
            raise SpecError(
                f"must be a share of the rows, at least 0 and below 1, got {share:g}", field=f"{place}.{part}"
            )
    if split.folds is not None and split.validation is not None:
        raise SpecError(
            f"cannot stand beside folds: each of the {split.folds} folds validates on its own rows; leave it out",
            field=f"{place}.validation",
        )
    if split.validation == 0:
        raise SpecError("must be > 0: trials are compared on validation rows", field=f"{place}.validation")
    validation = 0.2 if split.validation is None else split.validation
    if split.folds is not None:
        validation = 0.0
    test = 0.2 if split.test is None else split.test
    if split.column is None and validation + test >= 1:
        raise SpecError(
            f"validation {validation:g} and test {test:g} leave no rows to train on; together they must be below 1",
            field=f"{place}.{'validation' if split.validation is not None else 'test'}",
        )


def check_together(spec: StudySpec) -> None:
    """Raises SpecError when a parameter says what another key says differently."""
    parameters = spec.parameters.parameters
    if "hidden_layers" in parameters and has_dashes(parameters.get("hidden_units")):
        raise SpecError(
            "widths with dashes say how many layers there are; leave hidden_layers out",
            field="parameters.hidden_units",
        )
    top = highest(parameters.get("epochs"))
    if top is not None and spec.epochs is not None and spec.epochs != top:
        raise SpecError(f"must be {top}, as high as parameters.epochs goes, or be left out", field="epochs")
    for name in ("patience", "min_delta"):
        if name in parameters and spec.early_stopping is not None:
            raise SpecError("stands in parameters too; drop one", field=f"early_stopping.{name}")
    if "min_delta" in parameters and "patience" not in parameters:
        raise SpecError("counts only beside patience; add patience: 10", field="parameters.min_delta")
    _check_pieces(spec.parameters)


def _check_pieces(space: SearchSpace) -> None:
    """Raises SpecError when layers of maxout units would have more linear units than any layer may."""
    values = values_of(space.parameters.get("activation"))
    if "maxout" not in values:
        return
    units, pieces = (_most(space.parameters.get(name), name) for name in ("hidden_units", "maxout_pieces"))
    most = HYPERPARAMETERS["hidden_units"].high
    if units * pieces > most:
        raise SpecError(
            f"{units:,} maxout units of {pieces} pieces are {units * pieces:,} linear units in a layer; "
            f"at most {most:,.0f}, so make hidden_units or maxout_pieces smaller",
            field="parameters.maxout_pieces"
            if "maxout_pieces" in space.parameters
            else "parameters.hidden_units",
        )


def _most(parameter: Parameter | None, name: str) -> int:
    """The widest layer or the most pieces that a parameter can give; its default without one."""
    widths = [
        int(width)
        for value in values_of(parameter)
        if isinstance(value, str)
        for width in value.split("-")
        if width.isdigit()
    ]
    most = max(highest(parameter) or 0, *widths, 0)
    return most or int(HYPERPARAMETERS[name].default)  # type: ignore[arg-type]


def values_of(parameter: Parameter | None) -> tuple[Value, ...]:
    """The values a parameter lists; none for a range."""
    if isinstance(parameter, Fixed):
        return (parameter.value,)
    return parameter.choices if isinstance(parameter, Choice) else ()


def has_dashes(parameter: Parameter | None) -> bool:
    """Whether a parameter holds widths like "64-32"."""
    return any(isinstance(value, str) and "-" in value for value in values_of(parameter))


def highest(parameter: Parameter | None) -> int | None:
    """The largest whole number a parameter can be; None without one."""
    if parameter is None:
        return None
    if isinstance(parameter, Range):
        return int(parameter.high)
    return max((int(value) for value in values_of(parameter) if isinstance(value, int)), default=None)


def check_grid(space: SearchSpace) -> None:
    """Raises SpecError unless every parameter has a countable number of points, and not too many."""
    if not space.searched:
        raise SpecError("a grid needs at least one parameter with several values", field="parameters")
    for name, parameter in space.parameters.items():
        place = f"parameters.{name}"
        n_points = 1 if isinstance(parameter, Fixed) else parameter.n_points()
        if n_points is None:
            raise SpecError("a grid needs num or step on a float range; write num: 5", field=f"{place}.num")
        if n_points > MAX_POINTS:
            raise SpecError(
                f"{n_points:,} points on one parameter; a grid takes at most {MAX_POINTS:,}", field=place
            )
