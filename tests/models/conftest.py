"""Tables with all that a preparation knows, and models for them whose weights are random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.data.prepare import prepare
from hpo.dataset import PreparedData, Task
from hpo.models import Lane, Model, SavedModel
from hpo.study import DataSpec, SplitSpec
from hpo.training import settings_of, shape_of

N = 240
KNOBS = {"hidden_units": "13-6", "negative_slope": 0.2, "elu_alpha": 0.7, "maxout_pieces": 3}


def table(task: Task = Task.CLASSIFICATION, n: int = N, seed: int = 0) -> dict[str, list[Any]]:
    """Columns of a table: numbers with holes, a date, categories with rare and missing ones, a target."""
    random = np.random.default_rng(seed)
    numbers = np.round(random.normal(scale=3, size=(n, 2)) * 8) / 8  # as exact in float32
    columns: dict[str, list[Any]] = {
        "a": ["" if i % 9 == 4 else value for i, value in enumerate(numbers[:, 0].tolist())],
        "b, big": (numbers[:, 1] * 1000).tolist(),
        "day": [f"{i % 27 + 1:02}.{i % 12 + 1:02}.2024" for i in range(n)],
        "kind": ["" if i % 11 == 3 else f"k{random.zipf(1.3) % 130}" for i in range(n)],
        "code": [int(i % 4) for i in range(n)],
    }
    if task is Task.CLASSIFICATION:
        columns["y"] = [("no", "yes", "it's")[i % 3] for i in range(n)]
    else:
        columns["y"] = np.round(np.exp(numbers[:, 0] / 4) + 3, 3).tolist()
    return columns


def csv_of(columns: Mapping[str, list[Any]]) -> str:
    """The same as the text of a file."""
    names = ",".join(f'"{name}"' for name in columns)
    rows = zip(*columns.values(), strict=True)
    return "\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n"


def model_of(
    data: PreparedData,
    scaling: str,
    params: Mapping[str, Any] = {},
    *,
    repeats: int = 1,
    seed: int = 0,
) -> SavedModel:
    """A model with random weights for prepared data, a lane for each repeat of each fold."""
    preparation = data.preparations[scaling]
    info, random = data.info, np.random.default_rng(seed)
    shared, settings = settings_of(KNOBS | dict(params), task=info.task, n_classes=len(info.classes))
    n_features = preparation[0]["n_features"]
    shape = shape_of(shared, settings, n_features, len(info.classes))

    def arrays(sizes: Any, low: float = -0.5, high: float = 0.5) -> tuple[Any, ...]:
        return tuple(random.uniform(low, high, size=size).astype(np.float32) for size in sizes)

    def lane(repeat: int, fold: int) -> Lane:
        extras = {
            name: arrays(widths, 0.3, 1.3) if name in ("gamma", "variance") else arrays(widths)
            for name, widths in shape.extras.items()
        }
        weights = arrays([(n_out, n_in) for n_in, n_out in shape.layers])
        biases = arrays([n_out for _, n_out in shape.layers])
        return Lane(repeat=repeat, fold=fold, weights=weights, biases=biases, extras=extras)

    model = Model(
        number=7,
        task=info.task,
        n_features=n_features,
        n_classes=len(info.classes),
        shared=shared,
        settings=settings,
        lanes=tuple(lane(repeat, fold) for repeat in range(repeats) for fold in range(info.n_folds)),
        preprocessing=preparation,
    )
    about = {"study": "made-up", "trial": 7, "metric": "accuracy", "value": 0.9, "test": None}
    return SavedModel(model=model, about=about)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[SavedModel, PreparedData]]:
    """Builds a model and its data from a table."""

    def make(
        task: Task = Task.CLASSIFICATION,
        *,
        scaling: str = "standardize",
        params: Mapping[str, Any] = {},
        folds: int | None = None,
        repeats: int = 1,
        columns: Mapping[str, list[Any]] | None = None,
        **spec: Any,
    ) -> tuple[SavedModel, PreparedData]:
        (tmp_path / "data.csv").write_text(csv_of(columns or table(task)))
        split = SplitSpec(folds=folds, test=0.2) if folds else SplitSpec()
        data = prepare(
            DataSpec(source="data.csv", target="y", split=split, categories=("code",), **spec),
            scalings=[scaling],
            folder=tmp_path,
            seed=0,
        )
        return model_of(data, scaling, params, repeats=repeats), data

    return make
