"""A model with all that is known of it, and predictions from raw columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import Task
from hpo.errors import DataError
from hpo.models.model import Floats, Model
from hpo.models.predict import log_probabilities, predict, probabilities
from hpo.models.preparing import Column, InputColumn, input_columns, prepared
from hpo.models.raw import Rows, raw_columns

CHUNK = 4_096  # rows at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What a model says of n rows.

    labels: class numbers [n] int64, or the values [n] float32 in the target's own unit
    probabilities: [n, classes] float32, of a classification
    log_p: their logarithms, float64
    """

    labels: NDArray[Any]
    probabilities: Floats | None = None
    log_p: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedModel:
    """A model that knows how its columns are prepared. about: study, trial, value, versions, in JSON types.

    Raises DataError when the model does not know its preparation.
    """

    model: Model
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = len(self.model.preprocessing)
        if found != self.model.n_folds:
            raise DataError(
                "the model does not know what was done to its columns; train the study again with this version"
                if not found
                else f"the model has {self.model.n_folds} folds, but the preparation of {found}"
            )

    @property
    def columns(self) -> tuple[InputColumn, ...]:
        """The columns it reads."""
        return input_columns(self.model.preprocessing)

    @property
    def keep_missing(self) -> tuple[str, ...]:
        """Words that would mean missing, but are categories here."""
        return tuple(self.model.preprocessing[0].get("keep_missing", ()))

    @property
    def target(self) -> str:
        """The column it predicts."""
        return str(self.model.preprocessing[0].get("target", {}).get("name", "target"))

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes by number; none for regression."""
        return self.model.classes

    def predict(self, rows: Rows) -> list[str] | Floats:
        """The class of each row, or its value in the target's own unit. Raises DataError.

        rows: a mapping of columns to their cells, or a list of mappings, one for each row. Numbers may be
        missing (None, NaN), dates are ISO 8601 or days since 1970-01-01; other columns are ignored
        """
        found = self.predicted(*raw_columns(self.columns, rows, self.keep_missing))
        if self.model.task is Task.CLASSIFICATION:
            return [self.classes[label] for label in found.labels]
        values: Floats = found.labels
        return values

    def probabilities(self, rows: Rows) -> Floats:
        """The probability of each class, [n, classes], in the order of `classes`. Raises DataError."""
        found = self.predicted(*raw_columns(self.columns, rows, self.keep_missing)).probabilities
        if found is None:
            raise DataError("a regression model has no class probabilities")
        return found

    def inputs(self, columns: Mapping[str, Column], n: int) -> list[Floats]:
        """The inputs of the network [n, features] as each fold prepares them. Raises DataError."""
        return [prepared(record, columns, n) for record in self.model.preprocessing]

    def predicted(self, columns: Mapping[str, Column], n: int) -> Prediction:
        """What the model says of n rows, given as columns. Raises DataError."""
        parts = [
            self._chunk(_rows(columns, start, min(n, start + CHUNK)), min(n, start + CHUNK) - start)
            for start in range(0, n, CHUNK)
        ]
        return _joined(parts) if len(parts) != 1 else parts[0]

    def _chunk(self, columns: Mapping[str, Column], n: int) -> Prediction:
        x = self.inputs(columns, n)
        if self.model.task is Task.REGRESSION:
            return Prediction(labels=predict(self.model, x))
        p, log_p = probabilities(self.model, x), log_probabilities(self.model, x)
        return Prediction(labels=p.argmax(axis=1), probabilities=p, log_p=log_p)


@dataclass(frozen=True, slots=True, eq=False)
class _Codes:
    """Some rows of a column of categories."""

    codes: NDArray[np.int64]
    levels: tuple[str, ...]


def _rows(columns: Mapping[str, Column], start: int, end: int) -> dict[str, Column]:
    return {
        name: column[start:end]
        if isinstance(column, np.ndarray)
        else _Codes(column.codes[start:end], column.levels)
        for name, column in columns.items()
    }


def _joined(parts: Sequence[Prediction]) -> Prediction:
    if not parts:
        raise DataError("there are no rows to predict")
    p = [part.probabilities for part in parts if part.probabilities is not None]
    log_p = [part.log_p for part in parts if part.log_p is not None]
    return Prediction(
        labels=np.concatenate([part.labels for part in parts]),
        probabilities=np.concatenate(p) if p else None,
        log_p=np.concatenate(log_p) if log_p else None,
    )
