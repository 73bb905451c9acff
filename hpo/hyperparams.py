"""Every hyperparameter there is, as one table: the study file, the documents and the tests loop over it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from hpo.errors import SpecError, lookup, suggest
from hpo.space import Choice, Fixed, Parameter, Range, Value

Kind = Literal["float", "int", "choice", "widths", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """What a hyperparameter may be and whether lanes of one cohort may differ in it.

    kind: float, int, choice (a name), widths (an int, or ints with dashes), flag
    fusible: lanes of one cohort may differ in it; else all lanes share it
    default: None when it depends on others (see `training.settings_of`)
    low, high: the values allowed; low_open, high_open: without the end itself
    choices: the names allowed
    """

    kind: Kind
    fusible: bool
    default: Value
    doc: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()


def _h(kind: Kind, fusible: bool, default: Value, doc: str, **rest: object) -> Hyperparameter:
    return Hyperparameter(kind=kind, fusible=fusible, default=default, doc=doc, **rest)  # type: ignore[arg-type]


F, S = True, False
_UNIT: dict[str, object] = {"low": 0.0, "high": 1.0}
_RATE: dict[str, object] = {"low": 0.0, "high": 1.0, "high_open": True}

ACTIVATIONS = (
    "linear",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "prelu",
    "elu",
    "maxout",
    "gelu",
    "silu",
    "selu",
    "softplus",
    "mish",
)
INITIALIZERS = (
    "zeros",
    "ones",
    "constant",
    "random_uniform",
    "random_normal",
    "truncated_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_normal",
    "orthogonal",
    "variance_scaling",
)
OPTIMIZERS = (
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "adadelta",
    "rmsprop",
    "adam",
    "amsgrad",
    "nadam",
    "adamw",
    "radam",
    "adamax",
)
LOSSES = ("cross_entropy", "binary_cross_entropy", "mse", "mae", "huber")
SCALINGS = ("none", "center", "standardize", "minmax", "pca", "whiten", "quantile")
SCHEDULES = ("constant", "step", "exponential", "cosine", "cyclic", "one_cycle")
CYCLIC_MODES = ("triangular", "triangular2")
# Rules that give the widths of hidden layers from the data, see `widths_of`.
WIDTH_RULES = ("mean", "samples")

HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "hidden_layers": _h("int", S, 2, "hidden layers", low=0, high=16),
    "hidden_units": _h(
        "widths",
        S,
        64,
        "units of every hidden layer, of each with dashes (64-32), or a rule: mean, samples",
        low=1,
        high=65_536,
    ),
    "samples_alpha": _h(
        "float", S, 5.0, "of the rule samples: rows / (alpha (in + out))", low=2.0, high=10.0
    ),
    "activation": _h("choice", F, "relu", "of the hidden layers", choices=ACTIVATIONS),
    "negative_slope": _h("float", F, 0.01, "of leaky_relu for x < 0", low=0.0),
    "elu_alpha": _h("float", F, 1.0, "elu tends to minus this", low=0.0),
    "maxout_pieces": _h("int", S, 2, "linear pieces of a maxout unit", low=1, high=16),
    "batch_norm": _h("flag", S, False, "batch normalisation before the activation"),
    "dropout": _h("float", F, 0.0, "share of hidden units dropped in training", **_RATE),
    "input_dropout": _h("float", F, 0.0, "share of inputs dropped in training", **_RATE),
    "initializer": _h("choice", F, None, "how weights begin", choices=INITIALIZERS),
    "init_scale": _h(
        "float",
        F,
        None,
        "of variance_scaling its scale, of orthogonal its gain, of constant the value, of random_normal and "
        "truncated_normal the standard deviation, of random_uniform the largest value",
        low=0.0,
        low_open=True,
    ),
    "init_mode": _h("choice", F, "fan_in", "of variance_scaling", choices=("fan_in", "fan_out", "fan_avg")),
    "init_distribution": _h(
        "choice",
        F,
        "truncated_normal",
        "of variance_scaling",
        choices=("uniform", "truncated_normal", "untruncated_normal"),
    ),
    "bias_init": _h("float", F, 0.0, "what biases begin with"),
    "loss": _h("choice", S, None, "what training makes small", choices=LOSSES),
    "huber_delta": _h("float", F, 1.0, "of huber: the error from which it is linear", low=0.0, low_open=True),
    "label_smoothing": _h("float", F, 0.0, "share of a class given to all classes alike", **_RATE),
    "class_weight": _h(
        "choice", S, "none", "balanced: rare classes weigh more", choices=("none", "balanced")
    ),
    "optimizer": _h("choice", F, "adam", "how weights move", choices=OPTIMIZERS),
    "learning_rate": _h("float", F, 1e-3, "size of a step", low=0.0, low_open=True),
    "momentum": _h("float", F, 0.9, "of momentum and nesterov", **_RATE),
    "beta1": _h("float", F, 0.9, "of adam and its kin: memory of the gradient", **_RATE),
    "beta2": _h("float", F, 0.999, "of adam and its kin: memory of its square", **_RATE),
    "rho": _h("float", F, None, "of rmsprop (torch's alpha) and adadelta: memory of the square", **_UNIT),
    "epsilon": _h("float", F, None, "keeps a denominator from zero", low=0.0, low_open=True),
    "centered": _h("flag", F, False, "of rmsprop: divide by the standard deviation of the gradient"),
    "l1": _h("float", F, 0.0, "lambda of the sum of absolute weights", low=0.0),
    "l2": _h("float", F, 0.0, "lambda/2 of the sum of squared weights", low=0.0),
    "weight_decay": _h(
        "float", F, None, "decoupled decay: weights shrink by learning rate times this", low=0.0
    ),
    "clip_norm": _h("float", F, None, "longest gradient, by norm", low=0.0, low_open=True),
    "clip_value": _h("float", F, None, "largest entry of the gradient", low=0.0, low_open=True),
    "skip_norm": _h(
        "float", F, None, "an update with a longer gradient is thrown away", low=0.0, low_open=True
    ),
    "schedule": _h("choice", F, "constant", "the learning rate over time", choices=SCHEDULES),
    "step_epochs": _h("int", F, 10, "of step: epochs between two drops", low=1, high=100_000),
    "decay": _h(
        "float",
        F,
        None,
        "of step and exponential: what a drop multiplies the rate by",
        low=0.0,
        low_open=True,
        high=1.0,
    ),
    "rate_floor": _h(
        "float", F, None, "the lowest rate of cosine and cyclic, as a share of the learning rate", **_UNIT
    ),
    "cycle_epochs": _h("int", F, 10, "of cyclic: epochs up and down again", low=1, high=100_000),
    "cyclic_mode": _h(
        "choice", F, "triangular", "of cyclic; triangular2 halves the height each time", choices=CYCLIC_MODES
    ),
    "warmup_epochs": _h(
        "int",
        F,
        0,
        "epochs in which the rate rises from 0 to the full one; the schedule then begins at its own start, so one_cycle and cyclic at a low rate again",
        low=0,
        high=100_000,
    ),
    "batch_size": _h("int", S, 64, "rows per step", low=1, high=1_000_000),
    "epochs": _h("int", F, 50, "passes over the training rows", low=1, high=100_000),
    "patience": _h("int", F, None, "epochs without a better value before training ends", low=1, high=100_000),
    "min_delta": _h("float", F, 0.0, "what counts as better", low=0.0),
    "scaling": _h("choice", S, None, "of the inputs, fitted on training rows", choices=SCALINGS),
    "pca_components": _h(
        "int",
        S,
        None,
        "of pca and whiten: how many components are kept, all unless given",
        low=1,
        high=65_536,
    ),
}

_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
# The knobs an optimizer reads, with torch.optim's defaults (momentum's 0.9 is the course's). Every
# optimizer also reads weight_decay, which only adamw has by default.
OPTIMIZER_KNOBS: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9},
    "adagrad": {"epsilon": 1e-10},
    "adadelta": {"rho": 0.9, "epsilon": 1e-6},
    "rmsprop": {"rho": 0.99, "epsilon": 1e-8, "centered": False},
    "adam": _ADAM,
    "amsgrad": _ADAM,
    "nadam": _ADAM,
    "adamw": _ADAM | {"weight_decay": 0.01},
    "radam": _ADAM,
    "adamax": _ADAM,
}
# What init_scale is unless given, for the initializers that read it: Keras's defaults, and for `constant`
# a value that is not zero.
INITIALIZER_SCALES: dict[str, float] = {
    "constant": 0.05,
    "random_uniform": 0.05,
    "random_normal": 0.05,
    "truncated_normal": 0.05,
    "orthogonal": 1.0,
    "variance_scaling": 1.0,
}
# The knobs a schedule reads, with what they are unless given.
SCHEDULE_KNOBS: dict[str, dict[str, float | str]] = {
    "constant": {},
    "step": {"step_epochs": 10, "decay": 0.1},
    "exponential": {"decay": 0.95},
    "cosine": {"rate_floor": 0.0},
    "cyclic": {"rate_floor": 0.1, "cycle_epochs": 10, "cyclic_mode": "triangular"},
    "one_cycle": {},
}

KINDS: dict[str, str] = {
    name: "int" if h.kind in ("int", "widths") else h.kind for name, h in HYPERPARAMETERS.items()
}

_WIDTHS = re.compile(r"[1-9][0-9]*(-[1-9][0-9]*)*")


def widths_of(
    units: Value, layers: Value, *, n_inputs: int = 0, n_outputs: int = 0, n_rows: int = 0, alpha: float = 5.0
) -> tuple[int, ...]:
    """The widths of the hidden layers: "64-32" says them all, 64 is repeated `layers` times.

    The rule `mean` makes each the average of the layers on either side, so that widths lead in equal
    steps from inputs to outputs; `samples` makes each n_rows / (alpha (n_inputs + n_outputs)), at least 1.

    >>> widths_of("64-32", 2), widths_of(8, 3), widths_of(8, 0)
    ((64, 32), (8, 8, 8), ())
    >>> widths_of("mean", 2, n_inputs=64, n_outputs=10), widths_of("mean", 1, n_inputs=7, n_outputs=2)
    ((46, 28), (4,))
    >>> widths_of("samples", 1, n_inputs=64, n_outputs=10, n_rows=1078, alpha=2.0)
    (7,)
    """
    count = int(layers)  # type: ignore[arg-type]
    if units == "mean":
        step = (n_outputs - n_inputs) / (count + 1)
        return tuple(max(1, round(n_inputs + step * (i + 1))) for i in range(count))
    if units == "samples":
        return (max(1, round(n_rows / (alpha * (n_inputs + n_outputs)))),) * count
    if isinstance(units, str) and "-" in units:
        return tuple(int(width) for width in units.split("-"))
    return (int(units),) * count  # type: ignore[arg-type]


def check_value(name: str, value: Value) -> None:
    """Raises SpecError (UnknownName) unless the hyperparameter may have that value."""
    h = HYPERPARAMETERS[name]
    if h.kind == "choice":
        _check_choice(name, h, value)
    elif h.kind == "flag":
        if not isinstance(value, bool):
            raise SpecError(f"must be true or false, got {value!r}")
    elif h.kind == "widths" and isinstance(value, str):
        if value in WIDTH_RULES:
            return
        if not _WIDTHS.fullmatch(value):
            raise SpecError(
                f"must be a number, widths with dashes like 64-32, or one of {', '.join(WIDTH_RULES)}, got {value!r}"
            )
        for width in value.split("-"):
            _check_number(h, int(width))
        if value.count("-") >= 16:
            raise SpecError("at most 16 hidden layers")
    else:
        _check_number(h, value)


def _check_choice(name: str, h: Hyperparameter, value: Value) -> None:
    what = name.replace("_", " ")
    if not isinstance(value, str):
        raise SpecError(f"must be a name, one of {', '.join(h.choices)}, got {value!r}")
    lookup(dict.fromkeys(h.choices), value, what)


def _check_number(h: Hyperparameter, value: Value) -> None:
    whole = h.kind in ("int", "widths")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpecError(f"must be a {'whole ' if whole else ''}number, got {value!r}")
    if not math.isfinite(value):
        raise SpecError(f"must be a finite number, got {value}")
    if whole and not isinstance(value, int):
        raise SpecError(f"must be a whole number, got {value:g}")
    low_ok = value > h.low if h.low_open else value >= h.low
    high_ok = value < h.high if h.high_open else value <= h.high
    if not low_ok:
        raise SpecError(f"must be {'>' if h.low_open else '>='} {h.low:g}, got {value:g}")
    if not high_ok:
        raise SpecError(f"must be {'<' if h.high_open else '<='} {h.high:g}, got {value:g}")


def check_parameter(name: str, parameter: Parameter) -> None:
    """Raises SpecError, with its field below the name, unless a trainer can take the parameter."""
    if name not in HYPERPARAMETERS:
        raise SpecError(f"no hyperparameter is called {name!r}{suggest(name, HYPERPARAMETERS)}")
    h = HYPERPARAMETERS[name]
    for place, value in _values(parameter):
        try:
            check_value(name, value)
        except SpecError as error:
            raise type(error)(error.detail, field=place) from None
    if isinstance(parameter, Range) and h.kind in ("choice", "flag"):
        raise SpecError("takes names; give a list of them")


def _values(parameter: Parameter) -> list[tuple[str | None, Value]]:
    """The values to check and the field each stands in."""
    if isinstance(parameter, Fixed):
        return [(None, parameter.value)]
    if isinstance(parameter, Choice):
        return [(str(place), value) for place, value in enumerate(parameter.choices)]
    as_number = int if parameter.is_int else float
    return [("low", as_number(parameter.low)), ("high", as_number(parameter.high))]
