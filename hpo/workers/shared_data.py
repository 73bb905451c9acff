"""Training data in a folder of .npy files that every process of this machine maps instead of copying."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import Rows, TargetScaling, Task, TrainingData

_PARTS = ("training", "validation")


def write_data(folder: Path, data: TrainingData) -> None:
    """Write the data into a new folder. Raises OSError."""
    folder.mkdir()
    for fold, rows_of_parts in enumerate(data.folds):
        for part, rows in zip(_PARTS, rows_of_parts, strict=True):
            _write(_file(folder, fold, part, "x"), rows.x)
            _write(_file(folder, fold, part, "y"), rows.y)
    about = {
        "task": data.task.value,
        "n_folds": len(data.folds),
        "n_features": data.n_features,
        "n_classes": data.n_classes,
        "target_scalings": [asdict(scaling) for scaling in data.target_scalings],
        "positive": data.positive,
    }
    (folder / "about.json").write_text(json.dumps(about))


def read_data(folder: Path) -> TrainingData:
    """The data of a folder, its arrays read-only and mapped from the files. Raises OSError."""
    about = json.loads((folder / "about.json").read_text())
    return TrainingData(
        task=Task(about["task"]),
        folds=tuple(
            (_rows(folder, fold, _PARTS[0]), _rows(folder, fold, _PARTS[1]))
            for fold in range(about["n_folds"])
        ),
        n_features=about["n_features"],
        n_classes=about["n_classes"],
        target_scalings=tuple(TargetScaling(**scaling) for scaling in about["target_scalings"]),
        positive=about["positive"],
    )


def _write(file: Path, array: NDArray[np.float32]) -> None:
    """As `np.save` does, which says nothing when the end of a small array finds no room on the disk."""
    array = np.ascontiguousarray(array, dtype=np.float32)
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
        out.write(array.data)


def _rows(folder: Path, fold: int, part: str) -> Rows:
    return Rows(x=_map(_file(folder, fold, part, "x")), y=_map(_file(folder, fold, part, "y")))


def _map(file: Path) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def _file(folder: Path, fold: int, part: str, name: str) -> Path:
    return folder / f"{fold}-{part}-{name}.npy"
