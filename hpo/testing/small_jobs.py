"""Build small studies with their data, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hpo.dataset import DatasetInfo, PreparedData, Rows, ScaledData, Task, TrainingData
from hpo.service import specfile
from hpo.space import Choice, Fixed, Parameter, Range, SearchSpace
from hpo.storage.base import Storage
from hpo.study import (
    DataSpec,
    Direction,
    NewStudy,
    ObjectiveSpec,
    SamplerSpec,
    SplitSpec,
    Study,
    StudySpec,
)

LEARNING_RATE = Range(low=1e-4, high=1.0, log=True, type="float")
L2 = Range(low=1e-6, high=1e-2, log=True, type="float")


def space_of(parameters: Mapping[str, Parameter] | None = None, **fixed: Any) -> SearchSpace:
    """Learning rate and l2, or these parameters, and fixed values beside them."""
    searched = dict(parameters or {"learning_rate": LEARNING_RATE, "l2": L2})
    return SearchSpace(searched | {name: Fixed(value=value) for name, value in fixed.items()})


def grid_of(n_rates: int, n_l2: int) -> SearchSpace:
    """A grid of n_rates * n_l2 points."""
    rate = Range(low=1e-4, high=1.0, log=True, num=n_rates, type="float")
    l2 = Range(low=1e-6, high=1e-2, log=True, num=n_l2, type="float")
    return SearchSpace({"learning_rate": rate, "l2": l2, "activation": Choice(choices=("relu",))})


def spec_of(
    *,
    trials: int = 20,
    epochs: int = 3,
    space: SearchSpace | None = None,
    sampler: str = "random",
    metric: str = "log_loss",
    direction: Direction = Direction.MINIMIZE,
    **rest: Any,
) -> StudySpec:
    """A completed study file on made-up data."""
    return StudySpec(
        name="small",
        data=DataSpec(source="made-up", target="y", split=SplitSpec(validation=0.2, test=0.2, seed=0)),
        parameters=space or space_of(),
        objective=ObjectiveSpec(metric=metric, direction=direction),
        trials=trials,
        epochs=epochs,
        sampler=SamplerSpec(name=sampler, seed=0),
        **rest,
    )


def data_of(
    *, features: int = 4, test: bool = True, scalings: tuple[str, ...] = ("standardize",), folds: int = 1
) -> PreparedData:
    """Thirty rows of three classes: 18 to train on, 6 to validate, 6 to test; with folds the same in each."""
    numbers = np.random.default_rng(0)
    parts = [
        Rows(
            x=numbers.normal(size=(n, features)).astype(np.float32),
            y=(np.arange(n) % 3).astype(np.float32),
        )
        for n in (18, 6, 6)
    ]
    info = DatasetInfo(
        source="made-up",
        sha256="0" * 64,
        task=Task.CLASSIFICATION,
        task_reason="made up",
        target="y",
        n_rows=30,
        n_features=features,
        classes=("a", "b", "c"),
        n_folds=folds,
        n_train=18,
        n_validation=6,
        n_test=6 if test else 0,
    )
    training = TrainingData(
        task=Task.CLASSIFICATION, folds=((parts[0], parts[1]),) * folds, n_features=features, n_classes=3
    )
    scaled = ScaledData(training=training, test=(parts[2],) * folds if test else None)
    rest = Rows(x=np.concatenate([part.x for part in parts[:2]]), y=np.arange(24, dtype=np.float32) % 3)
    nothing = Rows(x=rest.x[:0], y=rest.y[:0])
    # Test rows scaled with all other rows are others than those scaled with the training rows.
    test_rows = (replace(parts[2], x=-parts[2].x),) if test else None
    refit = ScaledData(training=replace(training, folds=((rest, nothing),)), test=test_rows)
    return PreparedData(
        info=info, scaled=dict.fromkeys(scalings, scaled), refit=dict.fromkeys(scalings, refit)
    )


def create(storage: Storage, spec: StudySpec, *, name: str = "small", **columns: Any) -> Study:
    """The study in the storage, QUEUED."""
    if spec.objective is None or spec.objective.direction is None or spec.trials is None:
        raise ValueError("the study file must be complete")
    return storage.create_study(
        NewStudy(
            name=name,
            direction=spec.objective.direction,
            metric=spec.objective.metric,
            n_trials=spec.trials,
            objectives=spec.objectives,
            **{"spec": specfile.to_json(spec), "data": {}, **columns},
        )
    )
