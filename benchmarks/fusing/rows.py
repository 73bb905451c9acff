"""The rows of the table: which nets, how many trials, against what, and the ratio wanted."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hpo.cohort import CohortTask, LaneTask
from hpo.coordinator.capacity import Machine, trials_that_pay
from hpo.dataset import DatasetInfo, Task, TrainingData
from hpo.model import NetworkShape
from hpo.study import Direction
from hpo.training import LaneSettings, SharedSettings, n_outputs, settings_of

NINE_OPTIMIZERS = (
    "sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "amsgrad", "nadam",
)  # fmt: skip
EIGHT_ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "maxout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A search over learning rate and l2 of one network on one data set.

    hidden: as a study file has it; dropout: whether the trials drop between 0 and half of their units
    """

    data: str
    hidden: str | int
    batch_size: int
    epochs: int
    optimizer: str = "adam"
    activation: str = "relu"
    rates: tuple[float, float] = (1e-4, 1e-2)  # log-uniform
    dropout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: how much longer a trial takes on the other side.

    ours, peer: plain (torch.nn and torch.optim, one network after another), exact or fast
    mixed: our side has all optimizers and activations, the other side one of each
    n_trials: on our side; n_peer: on the other, fewer where one trial is like the next
    at_least, aim: the ratio promised and the one hoped for
    """

    name: str
    net: Net
    n_trials: int
    n_peer: int
    at_least: float
    aim: float
    ours: str = "exact"
    peer: str = "plain"
    mixed: bool = False


PLAYGROUND = Net(
    data="spiral", hidden=8, batch_size=10, epochs=50, optimizer="sgd", activation="tanh", rates=(0.03, 1.0)
)
DIGITS = Net(data="digits", hidden="64-64", batch_size=64, epochs=10, dropout=True)
FASHION = Net(data="fashion", hidden=128, batch_size=128, epochs=3)
CIFAR = Net(data="cifar", hidden=50, batch_size=200, epochs=3, optimizer="momentum")

_ALL = (
    Row(name="playground", net=PLAYGROUND, n_trials=1024, n_peer=32, at_least=100, aim=250),
    Row(name="digits", net=DIGITS, n_trials=256, n_peer=64, at_least=6, aim=8),
    Row(name="fashion", net=FASHION, n_trials=32, n_peer=16, at_least=1.15, aim=1.3),
    Row(name="cifar", net=CIFAR, n_trials=32, n_peer=16, at_least=1.4, aim=1.6),
    Row(name="digits-fast", net=DIGITS, n_trials=256, n_peer=256, ours="fast", peer="exact", at_least=1.2, aim=1.2),
    Row(name="fashion-fast", net=FASHION, n_trials=32, n_peer=32, ours="fast", peer="exact", at_least=1.4, aim=1.4),
    Row(name="cifar-fast", net=CIFAR, n_trials=32, n_peer=32, ours="fast", peer="exact", at_least=1.6, aim=1.6),
    Row(name="mixed", net=DIGITS, n_trials=256, n_peer=256, peer="exact", mixed=True, at_least=1 / 1.3, aim=1.0),
)  # fmt: skip
ROWS: Mapping[str, Row] = {row.name: row for row in _ALL}


def settings(
    net: Net, data: TrainingData, number: int, *, mixed: bool
) -> tuple[SharedSettings, LaneSettings]:
    """What trial `number` of a search trains; mixed: the optimizers and activations in turn."""
    rnd, (low, high) = random.Random(number), net.rates
    params = {
        "learning_rate": low * (high / low) ** rnd.random(),
        "l2": 10 ** rnd.uniform(-6, -3),
        "dropout": rnd.uniform(0, 0.5) if net.dropout else 0.0,
        "optimizer": NINE_OPTIMIZERS[number % 9] if mixed else net.optimizer,
        "activation": EIGHT_ACTIVATIONS[number % 8] if mixed else net.activation,
        "hidden_units": net.hidden,
        "batch_size": net.batch_size,
        "epochs": net.epochs,
    }
    if isinstance(net.hidden, int):
        params["hidden_layers"] = 1
    return settings_of(params, task=Task.CLASSIFICATION, n_classes=data.n_classes)


def cohorts(
    net: Net, data: TrainingData, numbers: range, *, widest: int, mixed: bool = False
) -> list[CohortTask]:
    """These trials in cohorts of about equal width, none wider than that."""
    shared, _ = settings(net, data, 0, mixed=mixed)
    n_cohorts = -(-len(numbers) // widest)
    width = -(-len(numbers) // n_cohorts)
    lanes = [
        LaneTask(number=number, repeat=0, fold=0, settings=settings(net, data, number, mixed=mixed)[1])
        for number in numbers
    ]
    first = CohortTask(
        id=1,
        attempt=1,
        data=net.data,
        shared=shared,
        lanes=(),
        seed=0,
        metric="accuracy",
        direction=Direction.MAXIMIZE,
    )
    return [replace(first, lanes=tuple(lanes[at : at + width])) for at in range(0, len(lanes), width)]


def planned_width(net: Net, data: TrainingData, n_slots: int) -> int:
    """How wide the planner makes cohorts of such trials on a machine of so many processes."""
    shared, _ = settings(net, data, 0, mixed=False)
    return trials_that_pay(shared, _info(data), Machine(n_slots=n_slots, memory_bytes=2**32))


def flops_per_trial(net: Net, data: TrainingData) -> int:
    """Floating-point operations of a trial's products: the inputs need no gradient."""
    shared, lane = settings(net, data, 0, mixed=False)
    layers = NetworkShape(data.n_features, lane.hidden, n_outputs(shared.loss, data.n_classes)).layers
    weights, first = sum(n_in * n_out for n_in, n_out in layers), layers[0][0] * layers[0][1]
    training, validation = (len(rows.x) for rows in data.folds[0])
    return net.epochs * ((6 * weights - 2 * first) * training + 2 * weights * validation)


def _info(data: TrainingData) -> DatasetInfo:
    """What the planner asks of a data set."""
    training, validation = (len(rows.x) for rows in data.folds[0])
    return DatasetInfo(
        source="",
        sha256="",
        task=data.task,
        task_reason="",
        target="",
        n_rows=training + validation,
        n_features=data.n_features,
        classes=tuple(map(str, range(data.n_classes))),
        n_train=training,
        n_validation=validation,
    )
