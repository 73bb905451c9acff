"""A trial's hyperparameters, resolved: what its cohort shares and what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hpo.dataset import Task
from hpo.errors import SpecError
from hpo.hyperparams import HYPERPARAMETERS, OPTIMIZER_KNOBS, widths_of
from hpo.space import Value

NEVER = 2**31 - 1  # a patience that never runs out

_HE = ("relu", "leaky_relu", "elu")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """What all lanes of a cohort have in common; trials are grouped by it.

    hidden: widths of the hidden layers, input side first; empty for none
    loss: cross_entropy (C outputs), binary_cross_entropy (1 output), mse (1 output)
    """

    hidden: tuple[int, ...]
    loss: str
    batch_size: int
    scaling: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """One lane's own hyperparameters, all of them resolved to plain numbers and names.

    A knob its optimizer does not read holds 0.
    """

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


def check_loss(loss: str, task: Task, n_classes: int) -> None:
    """Raises SpecError when a loss does not fit the task."""
    fits = {
        "mse": task is Task.REGRESSION,
        "cross_entropy": task is Task.CLASSIFICATION,
        "binary_cross_entropy": task is Task.CLASSIFICATION and n_classes == 2,
    }
    if not fits[loss]:
        what = f"{task} with {n_classes} classes" if n_classes else str(task)
        raise SpecError(
            f"{loss} does not fit {what}; leave it out for {default_loss(task, n_classes)}",
            field="parameters.loss",
        )


def settings_of(
    params: Mapping[str, Value], *, task: Task, n_classes: int, images: bool = False
) -> tuple[SharedSettings, LaneSettings]:
    """The settings of a trial from its params, searched and fixed, defaults filled in.

    `epochs`, `patience` and `min_delta` may stand in params; a study puts its own there first.
    Raises SpecError when the loss does not fit the task.
    """
    get = {name: h.default for name, h in HYPERPARAMETERS.items()} | dict(params)
    optimizer, activation = str(get["optimizer"]), str(get["activation"])
    loss = str(get["loss"] or default_loss(task, n_classes))
    check_loss(loss, task, n_classes)
    knobs = {
        name: _number(params.get(name), fallback) for name, fallback in OPTIMIZER_KNOBS[optimizer].items()
    }
    shared = SharedSettings(
        hidden=widths_of(get["hidden_units"], get["hidden_layers"]),
        loss=loss,
        batch_size=_whole(get["batch_size"], 64),
        scaling=str(get["scaling"] or ("minmax" if images else "standardize")),
    )
    lane = LaneSettings(
        activation=activation,
        negative_slope=_number(get["negative_slope"]),
        elu_alpha=_number(get["elu_alpha"]),
        dropout=_number(get["dropout"]),
        input_dropout=_number(get["input_dropout"]),
        initializer=str(get["initializer"] or ("he_normal" if activation in _HE else "glorot_uniform")),
        bias_init=_number(get["bias_init"]),
        optimizer=optimizer,
        learning_rate=_number(get["learning_rate"]),
        momentum=knobs.get("momentum", 0.0),
        beta1=knobs.get("beta1", 0.0),
        beta2=knobs.get("beta2", 0.0),
        rho=knobs.get("rho", 0.0),
        epsilon=knobs.get("epsilon", 0.0),
        l1=_number(get["l1"]),
        l2=_number(get["l2"]),
        epochs=_whole(get["epochs"], 50),
        patience=_whole(get["patience"], NEVER),
        min_delta=_number(get["min_delta"]),
    )
    return shared, lane


def _number(value: Value, fallback: float = 0.0) -> float:
    return fallback if value is None else float(value)


def _whole(value: Value, fallback: int) -> int:
    return fallback if value is None else int(value)
