"""A trial's hyperparameters, resolved: what its cohort shares and what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from hpo.dataset import Task, scaling_key, scaling_of
from hpo.errors import SpecError
from hpo.hyperparams import (
    HYPERPARAMETERS,
    INITIALIZER_SCALES,
    OPTIMIZER_KNOBS,
    SCHEDULE_KNOBS,
    widths_of,
)
from hpo.model import NetworkShape, rung_of
from hpo.space import Value

NEVER = 2**31 - 1  # a patience that never runs out

_HE = ("relu", "leaky_relu", "prelu", "elu", "maxout", "gelu", "silu", "softplus", "mish")
_INITIALIZERS = dict.fromkeys(_HE, "he_normal") | {"selu": "lecun_normal"}  # for any other: glorot_uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """What all lanes of a cohort have in common; trials are grouped by it.

    hidden: widths of the hidden layers as tensors have them, input side first; empty for none. A lane's
        own widths are at most these: what is beyond them is zero and stays zero
    loss: cross_entropy (C outputs), else 1 output
    scaling: the key of an input scaling, see `dataset.scaling_key`
    maxout_pieces: of the lanes with maxout; a planner writes 1 where there are none
    """

    hidden: tuple[int, ...]
    loss: str
    batch_size: int
    scaling: str
    batch_norm: bool = False
    maxout_pieces: int = 1
    class_weight: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """One lane's own hyperparameters, all of them resolved to plain numbers and names.

    hidden: its own widths. A knob that its optimizer, schedule or initializer does not read holds 0 (or ""),
    a gradient cut-off that is not asked for is infinite.
    """

    hidden: tuple[int, ...]
    activation: str
    negative_slope: float
    elu_alpha: float
    dropout: float
    input_dropout: float
    initializer: str
    bias_init: float
    optimizer: str
    learning_rate: float
    momentum: float
    beta1: float
    beta2: float
    rho: float
    epsilon: float
    l1: float
    l2: float
    epochs: int
    patience: int  # NEVER without early stopping
    min_delta: float
    init_scale: float = 0.0
    init_mode: str = ""
    init_distribution: str = ""
    huber_delta: float = 1.0
    label_smoothing: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0
    clip_norm: float = inf
    clip_value: float = inf
    skip_norm: float = inf
    schedule: str = "constant"
    step_epochs: int = 0
    decay: float = 0.0
    rate_floor: float = 0.0
    cycle_epochs: int = 0
    cyclic_mode: str = ""
    warmup_epochs: int = 0


def default_loss(task: Task, n_classes: int) -> str:
    """The loss that goes with a task.

    >>> default_loss(Task.CLASSIFICATION, 2), default_loss(Task.REGRESSION, 0)
    ('binary_cross_entropy', 'mse')
    """
    if task is Task.REGRESSION:
        return "mse"
    return "binary_cross_entropy" if n_classes == 2 else "cross_entropy"


def n_outputs(loss: str, n_classes: int) -> int:
    """How many output units a loss wants."""
    return n_classes if loss == "cross_entropy" else 1


def shape_of(shared: SharedSettings, lane: LaneSettings, n_inputs: int, n_classes: int) -> NetworkShape:
    """The network of one lane, at its own widths."""
    return NetworkShape(
        n_inputs,
        lane.hidden,
        n_outputs(shared.loss, n_classes),
        pieces=shared.maxout_pieces if lane.activation == "maxout" else 1,
        batch_norm=shared.batch_norm,
        prelu=lane.activation == "prelu",
    )


def check_loss(loss: str, task: Task, n_classes: int) -> None:
    """Raises SpecError when a loss does not fit the task."""
    fits = {
        "cross_entropy": task is Task.CLASSIFICATION,
        "binary_cross_entropy": task is Task.CLASSIFICATION and n_classes == 2,
    }
    if not fits.get(loss, task is Task.REGRESSION):
        what = f"{task} with {n_classes} classes" if n_classes else str(task)
        raise SpecError(
            f"{loss} does not fit {what}; leave it out for {default_loss(task, n_classes)}",
            field="parameters.loss",
        )


def settings_of(
    params: Mapping[str, Value],
    *,
    task: Task,
    n_classes: int,
    images: bool = False,
    n_inputs: int = 0,
    n_rows: int = 0,
    rungs: bool = False,
) -> tuple[SharedSettings, LaneSettings]:
    """The settings of a trial from its params, searched and fixed, defaults filled in.

    `epochs`, `patience` and `min_delta` may stand in params; a study puts its own there first.
    n_inputs, n_rows: features and training rows, for the rules that make widths from them
    rungs: pad widths to the ladder, so that trials of many widths can share a cohort
    Raises SpecError when the loss does not fit the task.
    """
    get = {name: h.default for name, h in HYPERPARAMETERS.items()} | dict(params)
    loss = str(get["loss"] or default_loss(task, n_classes))
    check_loss(loss, task, n_classes)
    scaling = scaling_key(
        str(get["scaling"] or ("minmax" if images else "standardize")), _whole(get["pca_components"], 0)
    )
    _, components = scaling_of(scaling)
    hidden = widths_of(
        get["hidden_units"],
        get["hidden_layers"],
        n_inputs=min(components or n_inputs, n_inputs),
        n_outputs=n_outputs(loss, n_classes),
        n_rows=n_rows,
        alpha=_number(get["samples_alpha"]),
    )
    shared = SharedSettings(
        hidden=tuple(map(rung_of, hidden)) if rungs else hidden,
        loss=loss,
        batch_size=_whole(get["batch_size"], 64),
        scaling=scaling,
        batch_norm=bool(get["batch_norm"]),
        maxout_pieces=_whole(get["maxout_pieces"], 2),
        class_weight=str(get["class_weight"]) if task is Task.CLASSIFICATION else "none",
    )
    return shared, _lane(params, get, hidden)


def _lane(params: Mapping[str, Value], get: Mapping[str, Value], hidden: tuple[int, ...]) -> LaneSettings:
    """A lane's own settings. params: those given; get: the same with the table's defaults."""
    activation, optimizer = str(get["activation"]), str(get["optimizer"])
    initializer = str(get["initializer"] or _INITIALIZERS.get(activation, "glorot_uniform"))
    schedule = str(get["schedule"])
    knobs = {
        name: _number(params.get(name), fallback) for name, fallback in OPTIMIZER_KNOBS[optimizer].items()
    }
    plan = {
        name: fallback if params.get(name) is None else params[name]
        for name, fallback in SCHEDULE_KNOBS[schedule].items()
    }
    varied = initializer == "variance_scaling"
    return LaneSettings(
        hidden=hidden,
        activation=activation,
        negative_slope=_number(get["negative_slope"]),
        elu_alpha=_number(get["elu_alpha"]),
        dropout=_number(get["dropout"]),
        input_dropout=_number(get["input_dropout"]),
        initializer=initializer,
        init_scale=_number(get["init_scale"], INITIALIZER_SCALES.get(initializer, 0.0))
        if initializer in INITIALIZER_SCALES
        else 0.0,
        init_mode=str(get["init_mode"]) if varied else "",
        init_distribution=str(get["init_distribution"]) if varied else "",
        bias_init=_number(get["bias_init"]),
        huber_delta=_number(get["huber_delta"]),
        label_smoothing=_number(get["label_smoothing"]),
        optimizer=optimizer,
        learning_rate=_number(get["learning_rate"]),
        momentum=knobs.get("momentum", 0.0),
        beta1=knobs.get("beta1", 0.0),
        beta2=knobs.get("beta2", 0.0),
        rho=knobs.get("rho", 0.0),
        epsilon=knobs.get("epsilon", 0.0),
        centered=bool(knobs.get("centered", False)),
        l1=_number(get["l1"]),
        l2=_number(get["l2"]),
        weight_decay=_number(get["weight_decay"], knobs.get("weight_decay", 0.0)),
        clip_norm=_number(get["clip_norm"], inf),
        clip_value=_number(get["clip_value"], inf),
        skip_norm=_number(get["skip_norm"], inf),
        schedule=schedule,
        step_epochs=_whole(plan.get("step_epochs"), 0),
        decay=_number(plan.get("decay")),
        rate_floor=_number(plan.get("rate_floor")),
        cycle_epochs=_whole(plan.get("cycle_epochs"), 0),
        cyclic_mode=str(plan.get("cyclic_mode", "")),
        warmup_epochs=_whole(get["warmup_epochs"], 0),
        epochs=_whole(get["epochs"], 50),
        patience=_whole(get["patience"], NEVER),
        min_delta=_number(get["min_delta"]),
    )


def _number(value: Value, fallback: float = 0.0) -> float:
    return fallback if value is None else float(value)


def _whole(value: Value, fallback: int) -> int:
    return fallback if value is None else int(value)
