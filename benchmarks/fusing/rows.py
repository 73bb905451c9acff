"""The rows of the table: which nets, how many trials, against what, and the ratio wanted."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo import training
from hpo.cohort import CohortTask, LaneTask
from hpo.coordinator.capacity import Machine
from hpo.coordinator.planner import Planner, ReadyTrial, Resolver
from hpo.dataset import DatasetInfo, TrainingData
from hpo.space import SearchSpace
from hpo.study import Direction, StudySpec

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
_STUDY = StudySpec(parameters=SearchSpace({}))  # one repeat, no folds; the rest stands in the params
ROWS: Mapping[str, Row] = {row.name: row for row in _ALL}


def trial(net: Net, data: TrainingData, number: int, *, mixed: bool = False) -> ReadyTrial:
    """Trial `number` of a search, the same on both sides; mixed: the optimizers and activations in turn."""
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
    return Resolver(_STUDY, _info(data)).resolve(number, params)


def cohort(net: Net, trials: Sequence[ReadyTrial]) -> CohortTask:
    """These trials as one task."""
    return CohortTask(
        id=1,
        attempt=1,
        data=net.data,
        shared=trials[0].shared,
        lanes=tuple(LaneTask(number=one.number, repeat=0, fold=0, settings=one.lane) for one in trials),
        seed=0,
        metric="accuracy",
        direction=Direction.MAXIMIZE,
    )


def cohorts(
    net: Net, data: TrainingData, n_trials: int, *, n_slots: int, mixed: bool = False
) -> list[CohortTask]:
    """A search of so many trials as the planner cuts it for so many processes."""
    planner = Planner(_STUDY, _info(data), Machine(n_slots=n_slots, memory_bytes=2**32))
    parts = planner.cohorts([trial(net, data, number, mixed=mixed) for number in range(n_trials)])
    return [cohort(net, part) for part in parts]


def flops_per_trial(net: Net, data: TrainingData) -> int:
    """Floating-point operations of a trial's products: the inputs need no gradient."""
    one = trial(net, data, 0)
    layers = training.shape_of(one.shared, one.lane, data.n_features, data.n_classes).layers
    weights, first = sum(n_in * n_out for n_in, n_out in layers), layers[0][0] * layers[0][1]
    n_train, n_validation = (len(rows.x) for rows in data.folds[0])
    return net.epochs * ((6 * weights - 2 * first) * n_train + 2 * weights * n_validation)


def _info(data: TrainingData) -> DatasetInfo:
    """What the planner asks of a data set."""
    n_train, n_validation = (len(rows.x) for rows in data.folds[0])
    return DatasetInfo(
        source="",
        sha256="",
        task=data.task,
        task_reason="",
        target="",
        n_rows=n_train + n_validation,
        n_features=data.n_features,
        classes=tuple(map(str, range(data.n_classes))),
        n_train=n_train,
        n_validation=n_validation,
    )
