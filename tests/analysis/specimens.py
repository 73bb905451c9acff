"""Networks that were really trained so that each has one illness, and others so that they are well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy

from hpo.analysis.diagnosis.learning import Observed
from hpo.data.prepare import prepare
from hpo.dataset import Rows, Task, TrainingData
from hpo.fused.trainer import Trainer
from hpo.space import Value
from hpo.study import DataSpec, SplitSpec
from hpo.testing.lanes import make_task
from hpo.trial import Trial, TrialResult

SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """What to train; rows: only so many training rows; mislabelled: the share of rows with a label drawn anew."""

    data: str
    params: Mapping[str, Value]
    rows: int | None = None
    mislabelled: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)


_DEEP = {"activation": "sigmoid", "hidden_layers": 8, "hidden_units": 32, "optimizer": "sgd"}
_WELL = {"hidden_units": 64, "hidden_layers": 2, "learning_rate": 1e-3, "epochs": 30, "batch_size": 64}

ILL: dict[str, Specimen] = {
    "underfit: one unit on a spiral": Specimen(
        data="spiral", params={"hidden_units": 1, "hidden_layers": 1, "learning_rate": 0.01, "epochs": 60}
    ),
    "underfit: a line on squares": Specimen(
        data="xor",
        params={"hidden_units": 8, "hidden_layers": 0, "learning_rate": 0.01, "epochs": 60},
        options={"features": ["x1", "x2"]},
    ),
    "overfit: 40 digits and 512 units": Specimen(
        data="digits", rows=40, params={"hidden_units": 512, "learning_rate": 1e-3, "epochs": 60}
    ),
    "overfit: 40 patients and 256 units": Specimen(
        data="diabetes", rows=40, params={"hidden_units": 256, "learning_rate": 1e-3, "epochs": 100}
    ),
    "overfit: mislabelled patients learned slowly by heart": Specimen(
        data="breast_cancer", mislabelled=0.8,
        params={"hidden_units": 256, "hidden_layers": 2, "learning_rate": 2e-4, "batch_size": 32, "epochs": 40},
    ),
    "diverged: sgd at rate 100": Specimen(
        data="diabetes", params={"optimizer": "sgd", "learning_rate": 100.0, "hidden_units": 32, "epochs": 20}
    ),
    "rate_too_high: sgd at rate 100": Specimen(
        data="digits",
        params={"optimizer": "sgd", "learning_rate": 100.0, "activation": "tanh", "hidden_units": 32, "epochs": 20},
    ),
    "rate_too_high: adam at rate 1": Specimen(
        data="digits", params={"learning_rate": 1.0, "hidden_units": 32, "epochs": 20}
    ),
    "rate_too_low: adam at 1e-6": Specimen(
        data="digits", params={"learning_rate": 1e-6, "hidden_units": 32, "epochs": 20}
    ),
    "rate_too_low: sgd at 1e-5": Specimen(
        data="wine", params={"optimizer": "sgd", "learning_rate": 1e-5, "hidden_units": 32, "epochs": 30}
    ),
    "rate_too_low: adam at 1e-6 on numbers": Specimen(
        data="diabetes", params={"learning_rate": 1e-6, "hidden_units": 32, "epochs": 30}
    ),
    "vanishing_gradients: eight layers of sigmoid": Specimen(
        data="digits", params=_DEEP | {"learning_rate": 0.1, "epochs": 20}
    ),
    "vanishing_gradients: ten layers of sigmoid": Specimen(
        data="wine", params=_DEEP | {"hidden_layers": 10, "learning_rate": 0.1, "epochs": 30}
    ),
    "dead_units: biases far below zero": Specimen(
        data="digits",
        params={"bias_init": -5.0, "optimizer": "sgd", "learning_rate": 0.01, "hidden_units": 32, "epochs": 20},
    ),
    "dead_units: relu at a high rate": Specimen(
        data="digits", params={"learning_rate": 0.3, "hidden_units": 32, "epochs": 20}
    ),
    "too_short: three epochs": Specimen(data="wine", params={"hidden_units": 16, "epochs": 3}),
    "saturated_units: tanh from weights of size 3": Specimen(
        data="digits",
        params={"activation": "tanh", "initializer": "random_normal", "init_scale": 3.0, "hidden_units": 64,
                "epochs": 20},
    ),
    "bad_first_loss: weights of size 3": Specimen(
        data="digits",
        params={"initializer": "random_normal", "init_scale": 3.0, "hidden_units": 64, "epochs": 20},
    ),
}  # fmt: skip

WELL: dict[str, Specimen] = {
    "digits, adam": Specimen(data="digits", params=_WELL),
    "digits, sgd": Specimen(data="digits", params=_WELL | {"optimizer": "sgd", "learning_rate": 0.1}),
    "digits, tanh": Specimen(data="digits", params=_WELL | {"activation": "tanh"}),
    "digits, dropout": Specimen(data="digits", params=_WELL | {"dropout": 0.3}),
    "digits, small batches": Specimen(data="digits", params=_WELL | {"batch_size": 8, "epochs": 15}),
    "digits, five layers": Specimen(data="digits", params=_WELL | {"hidden_layers": 5}),
    "wine": Specimen(data="wine", params=_WELL | {"hidden_units": 16, "learning_rate": 0.01}),
    "iris": Specimen(data="iris", params=_WELL | {"hidden_units": 16, "learning_rate": 0.01, "batch_size": 16}),
    "breast cancer": Specimen(data="breast_cancer", params=_WELL | {"hidden_units": 16, "l2": 1e-3}),
    "breast cancer, mislabelled": Specimen(
        data="breast_cancer", mislabelled=0.2,
        params=_WELL | {"hidden_units": 8, "hidden_layers": 1, "l2": 0.03, "learning_rate": 3e-3},
    ),
    "spiral": Specimen(data="spiral", params=_WELL | {"learning_rate": 0.01, "batch_size": 10}),
    "xor": Specimen(data="xor", params=_WELL | {"hidden_units": 8, "learning_rate": 0.01, "batch_size": 10}),
    "plane": Specimen(data="plane", params=_WELL | {"hidden_units": 8, "learning_rate": 0.01, "batch_size": 10}),
    "patients": Specimen(
        data="diabetes", params=_WELL | {"hidden_units": 16, "hidden_layers": 1, "l2": 0.01, "learning_rate": 0.01, "epochs": 20}
    ),
}  # fmt: skip


def rows_of(specimen: Specimen, seed: int) -> TrainingData:
    """Its training and validation rows under the split of a seed."""
    spec = DataSpec(
        source=specimen.data, split=SplitSpec(validation=0.2, test=0.2, seed=seed), options=specimen.options
    )
    prepared = prepare(spec, scalings=(None,), folder=Path("."), seed=seed)
    (scaled,) = prepared.scaled.values()
    data = scaled.training
    training, validation = (_mislabelled(rows, specimen.mislabelled, seed) for rows in data.folds[0])
    few = Rows(x=training.x[: specimen.rows], y=training.y[: specimen.rows])
    return replace(data, folds=((few, validation),))


def _mislabelled(rows: Rows, share: float, seed: int) -> Rows:
    """Rows of which a share have the label of some other row."""
    random = numpy.random.default_rng(seed)
    y = numpy.where(random.random(len(rows.y)) < share, random.permutation(rows.y), rows.y)
    return Rows(x=rows.x, y=y)


def train(specimen: Specimen, seed: int) -> Observed:
    """Train it with hpo's own core, as a study would, and see what a diagnosis sees."""
    data = rows_of(specimen, seed)
    metric = "accuracy" if data.task is Task.CLASSIFICATION else "rmse"
    found: list[TrialResult] = []
    task = make_task(data, [specimen.params], metric=metric, seed=seed)
    Trainer(task, data).run(lambda report: found.extend(report.ended))
    (result,) = found
    return Observed(
        trial=Trial(
            number=result.number,
            state=result.state,
            params={},
            reason=result.reason,
            value=result.value,
            epochs=result.epochs,
            best_epoch=result.best_epoch,
            facts=result.facts,
        ),
        curve=result.curve,
        settings=specimen.params,
    )
