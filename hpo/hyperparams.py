"""Every hyperparameter there is, as one table: the study file, the documents and the tests loop over it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from hpo.errors import NotYet, SpecError, lookup, suggest
from hpo.space import Choice, Fixed, Parameter, Range, Value

Kind = Literal["float", "int", "choice", "widths", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """What a hyperparameter may be and whether lanes of one cohort may differ in it.

    kind: float, int, choice (a name), widths (an int, or ints with dashes), flag
    fusible: lanes of one cohort may differ in it; else all lanes share it
    default: None when it depends on others (see `training.settings_of`)
    low, high: the values allowed; low_open, high_open: without the end itself
    choices: the names allowed; later: those (or the whole) that a later version brings
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
    later: bool = False
    later_choices: tuple[str, ...] = ()


def _h(kind: Kind, fusible: bool, default: Value, doc: str, **rest: object) -> Hyperparameter:
    return Hyperparameter(kind=kind, fusible=fusible, default=default, doc=doc, **rest)  # type: ignore[arg-type]


F, S = True, False
_UNIT: dict[str, object] = {"low": 0.0, "high": 1.0}
_RATE: dict[str, object] = {"low": 0.0, "high": 1.0, "high_open": True}

ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu")
ACTIVATIONS_LATER = ("prelu", "maxout", "gelu", "silu", "selu", "softplus", "mish")
INITIALIZERS = (
    "zeros",
    "random_uniform",
    "random_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
)
INITIALIZERS_LATER = (
    "ones",
    "constant",
    "truncated_normal",
    "lecun_normal",
    "orthogonal",
    "variance_scaling",
)
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
OPTIMIZERS_LATER = ("adadelta", "amsgrad", "nadam", "adamw", "radam", "adamax")
LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")
LOSSES_LATER = ("mae", "huber")
SCALINGS = ("none", "center", "standardize", "minmax")
SCALINGS_LATER = ("pca", "whiten", "quantile")

HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "hidden_layers": _h("int", S, 2, "hidden layers", low=0, high=16),
    "hidden_units": _h(
        "widths", S, 64, "units of every hidden layer, or of each with dashes: 64-32", low=1, high=65_536
    ),
    "activation": _h(
        "choice", F, "relu", "of the hidden layers", choices=ACTIVATIONS, later_choices=ACTIVATIONS_LATER
    ),
    "negative_slope": _h("float", F, 0.01, "of leaky_relu for x < 0", low=0.0),
    "elu_alpha": _h("float", F, 1.0, "elu tends to minus this", low=0.0),
    "maxout_pieces": _h("int", S, 2, "pieces of maxout", low=1, high=16, later=True),
    "batch_norm": _h("flag", S, False, "batch normalisation before the activation", later=True),
    "dropout": _h("float", F, 0.0, "share of hidden units dropped in training", **_RATE),
    "input_dropout": _h("float", F, 0.0, "share of inputs dropped in training", **_RATE),
    "initializer": _h(
        "choice", F, None, "how weights begin", choices=INITIALIZERS, later_choices=INITIALIZERS_LATER
    ),
    "init_scale": _h("float", F, 1.0, "scale of variance_scaling", low=0.0, low_open=True, later=True),
    "init_mode": _h(
        "choice", F, "fan_in", "of variance_scaling", choices=("fan_in", "fan_out", "fan_avg"), later=True
    ),
    "init_distribution": _h(
        "choice",
        F,
        "truncated_normal",
        "of variance_scaling",
        choices=("uniform", "truncated_normal", "untruncated_normal"),
        later=True,
    ),
    "bias_init": _h("float", F, 0.0, "what biases begin with"),
    "loss": _h("choice", S, None, "what training makes small", choices=LOSSES, later_choices=LOSSES_LATER),
    "label_smoothing": _h("float", F, 0.0, "share of a class given to all classes", later=True, **_RATE),
    "class_weight": _h(
        "choice", S, "none", "balanced: rare classes weigh more", choices=("none", "balanced"), later=True
    ),
    "optimizer": _h(
        "choice", F, "adam", "how weights move", choices=OPTIMIZERS, later_choices=OPTIMIZERS_LATER
    ),
    "learning_rate": _h("float", F, 1e-3, "size of a step", low=0.0, low_open=True),
    "momentum": _h("float", F, 0.9, "of momentum and nesterov", **_RATE),
    "beta1": _h("float", F, 0.9, "of adam: memory of the gradient", **_RATE),
    "beta2": _h("float", F, 0.999, "of adam: memory of its square", **_RATE),
    "rho": _h("float", F, None, "of rmsprop: memory of the square (torch's alpha)", **_UNIT),
    "epsilon": _h("float", F, None, "keeps a denominator from zero", low=0.0),
    "l1": _h("float", F, 0.0, "lambda of the sum of absolute weights", low=0.0),
    "l2": _h("float", F, 0.0, "lambda/2 of the sum of squared weights", low=0.0),
    "weight_decay": _h("float", F, 0.0, "decoupled decay of weights", low=0.0, later=True),
    "clip_norm": _h("float", F, None, "longest gradient, by norm", low=0.0, low_open=True, later=True),
    "clip_value": _h("float", F, None, "largest entry of the gradient", low=0.0, low_open=True, later=True),
    "skip_norm": _h(
        "float",
        F,
        None,
        "an update with a longer gradient is thrown away",
        low=0.0,
        low_open=True,
        later=True,
    ),
    "schedule": _h(
        "choice",
        F,
        "constant",
        "the learning rate over time",
        choices=("constant",),
        later_choices=("step", "exponential", "cosine", "cyclic", "triangular2", "one_cycle"),
    ),
    "warmup_epochs": _h(
        "int", F, 0, "epochs in which the rate rises from 0", low=0, high=100_000, later=True
    ),
    "batch_size": _h("int", S, 64, "rows per step", low=1, high=1_000_000),
    "epochs": _h("int", F, 50, "passes over the training rows", low=1, high=100_000),
    "patience": _h("int", F, None, "epochs without a better value before training ends", low=1, high=100_000),
    "min_delta": _h("float", F, 0.0, "what counts as better", low=0.0),
    "scaling": _h(
        "choice",
        S,
        None,
        "of the inputs, fitted on training rows",
        choices=SCALINGS,
        later_choices=SCALINGS_LATER,
    ),
}

# The knobs an optimizer reads, with torch.optim's defaults (momentum's 0.9 is the course's).
OPTIMIZER_KNOBS: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9},
    "adagrad": {"epsilon": 1e-10},
    "rmsprop": {"rho": 0.99, "epsilon": 1e-8},
    "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
}

KINDS: dict[str, str] = {
    name: "int" if h.kind in ("int", "widths") else h.kind for name, h in HYPERPARAMETERS.items()
}

_WIDTHS = re.compile(r"[1-9][0-9]*(-[1-9][0-9]*)*")


def widths_of(units: Value, layers: Value) -> tuple[int, ...]:
    """The widths of the hidden layers: "64-32" says them all, 64 is repeated `layers` times.

    >>> widths_of("64-32", 2), widths_of(8, 3), widths_of(8, 0)
    ((64, 32), (8, 8, 8), ())
    """
    if isinstance(units, str) and "-" in units:
        return tuple(int(width) for width in units.split("-"))
    width, count = int(units), int(layers)  # type: ignore[arg-type]
    return (width,) * count


def check_value(name: str, value: Value) -> None:
    """Raises SpecError (UnknownName, NotYet) unless the hyperparameter may have that value."""
    h = HYPERPARAMETERS[name]
    if h.kind == "choice":
        _check_choice(name, h, value)
    elif h.kind == "flag":
        if not isinstance(value, bool):
            raise SpecError(f"must be true or false, got {value!r}")
    elif h.kind == "widths" and isinstance(value, str):
        if not _WIDTHS.fullmatch(value):
            raise SpecError(f"must be widths with dashes like 64-32, got {value!r}")
        for width in value.split("-"):
            _check_number(h, int(width))
        if value.count("-") >= 16:
            raise SpecError("at most 16 hidden layers")
    else:
        _check_number(h, value)


def _check_choice(name: str, h: Hyperparameter, value: Value) -> None:
    what = name.replace("_", " ")
    if value in h.later_choices:
        raise NotYet(f"{what} {value!r} comes with a later version; there are {', '.join(h.choices)}")
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
    if h.later:
        raise NotYet(f"{name} comes with a later version; leave it out")
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
