"""The data sets that the benchmarks train on: real where they are at hand, else of the same size."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import Rows, Task, TrainingData

Floats = NDArray[np.float32]

# The folder of Fashion-MNIST's four IDX files; its first 8,000 rows are used.
FASHION_FOLDER = "HPO_BENCH_FASHION"


def _split(x: Floats, y: NDArray[np.generic], n_train: int, n_classes: int) -> TrainingData:
    """The first n_train rows train, the rest validate; inputs standardized on training rows."""
    spread = x[:n_train].std(0)
    x = (x - x[:n_train].mean(0)) / np.where(spread > 0, spread, 1)
    training, validation = (
        Rows(x=np.ascontiguousarray(x[part], np.float32), y=y[part].astype(np.float32))
        for part in (slice(0, n_train), slice(n_train, None))
    )
    return TrainingData(
        task=Task.CLASSIFICATION,
        folds=((training, validation),),
        n_features=x.shape[1],
        n_classes=n_classes,
    )


def _made_up(n: int, n_features: int) -> tuple[Floats, NDArray[np.generic]]:
    """Ten classes that a linear map with noise decides."""
    random = np.random.default_rng(n_features)
    x = random.normal(size=(n, n_features)).astype(np.float32)
    z = x @ random.normal(size=(n_features, 10)) / math.sqrt(n_features)
    return x, (z + 0.3 * random.normal(size=z.shape)).argmax(1)


def _spiral() -> TrainingData:
    """The Playground's spiral with its seven features, 250 rows and 250."""
    random, n = np.random.default_rng(0), 250
    at = np.tile(np.arange(n) / n, 2)
    y = np.repeat([0, 1], n)
    angle = 1.75 * at * 2 * math.pi + y * math.pi
    u, v = 5 * at * np.sin(angle), 5 * at * np.cos(angle)
    x = np.stack([u, v, u * u, v * v, u * v, np.sin(u), np.sin(v)], 1).astype(np.float32)
    order = random.permutation(2 * n)
    return _split(x[order], y[order], n, 2)


def _digits() -> TrainingData:
    """scikit-learn's digits, 1,078 rows and 359; made up where scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return _split(*_made_up(1437, 64), 1078, 10)
    x, y = load_digits(return_X_y=True)
    return _split(x[:1437].astype(np.float32), y[:1437], 1078, 10)


def _fashion() -> TrainingData:
    """6,400 rows and 1,600 of Fashion-MNIST where its folder is named; else made up."""
    if not os.environ.get(FASHION_FOLDER):
        return _split(*_made_up(8000, 784), 6400, 10)
    folder = Path(os.environ[FASHION_FOLDER])
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(16 + 8000 * 784), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(8 + 8000), np.uint8, offset=8)
    return _split(x.astype(np.float32), y, 6400, 10)


def _cifar() -> TrainingData:
    """5,000 rows and 1,000 of the size of CIFAR-10, made up."""
    return _split(*_made_up(6000, 3072), 5000, 10)


DATA: Mapping[str, Callable[[], TrainingData]] = {
    "spiral": _spiral,
    "digits": _digits,
    "fashion": _fashion,
    "cifar": _cifar,
}
