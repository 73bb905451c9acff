"""What a data set is once prepared: arrays of a split, the target's scaling, and what was done to the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    Floats = NDArray[float32]


# Numbers and names (JSON types) that repeat the preparation on new rows, one entry per fold.
Preparation = tuple[Mapping[str, Any], ...]


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScaling:
    """How a regression target was scaled: scaled = (f(y) - mean) / scale, f = log1p or nothing."""

    kind: str = "none"  # none | standardize | log1p
    mean: float = 0.0
    scale: float = 1.0


def scaling_key(name: str, components: int = 0) -> str:
    """How an input scaling is called once its components are settled; 0 keeps them all.

    >>> scaling_key("pca", 50), scaling_key("whiten"), scaling_key("minmax", 50)
    ('pca-50', 'whiten', 'minmax')
    """
    return f"{name}-{components}" if components and name in ("pca", "whiten") else name


def scaling_of(key: str) -> tuple[str, int]:
    """The name of an input scaling and its components, from `scaling_key`.

    >>> scaling_of("pca-50"), scaling_of("minmax")
    (('pca', 50), ('minmax', 0))
    """
    name, _, components = key.partition("-")
    return name, int(components or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows ready for a network.

    x: [n, features] float32, C-contiguous
    y: [n] float32; class numbers 0..C-1 for classification, the scaled target for regression
    """

    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What a worker may see of a data set: training and validation rows of each fold, never test rows.

    folds: one entry without cross-validation
    n_classes: 0 for regression
    target_scalings: of a regression's target, one entry for each fold, fitted on its training rows
    positive: the class number that precision, recall, f1 and auc are of; None: macro averages
    """

    task: Task
    folds: tuple[tuple[Rows, Rows], ...]  # (training, validation)
    n_features: int
    n_classes: int
    target_scalings: tuple[TargetScaling, ...] = ()
    positive: int | None = None

    def target_scaling(self, fold: int) -> TargetScaling:
        """How the target of a fold's rows was scaled."""
        return self.target_scalings[fold] if self.target_scalings else TargetScaling()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """One column of the source and what became of it: kind is number, category, date or dropped."""

    name: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How the cells of one column of the source are spread: all of its rows, whatever a study makes of them.

    n_values: finite numbers, dates or categories; n_infinite: numbers that no study would take
    minimum, median, maximum: of numbers; of dates as ISO 8601; null of categories
    edges: of a histogram, one more than there are counts; its last bar has both ends
    levels: in their place the most frequent categories, of the n_levels that there are
    counts: the rows in each bar, or of each of the levels
    """

    name: str
    n_values: int
    n_missing: int
    n_infinite: int = 0
    minimum: float | str | None = None
    median: float | str | None = None
    maximum: float | str | None = None
    edges: tuple[float | str, ...] = ()
    n_levels: int = 0
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What there is to say of a data set without its rows; goes into the database as JSON.

    sha256: of the file's bytes, or of the arrays of a built-in set
    n_train, n_validation: of the first fold; other folds differ by a row or so
    n_inputs: features under those input scalings of a study that change their number, by `scaling_key`
    notes: sentences for the user: how the task was inferred, what was dropped and why
    """

    source: str
    sha256: str
    task: Task
    task_reason: str
    target: str
    n_rows: int
    n_features: int
    images: bool = False
    classes: tuple[str, ...] = ()
    columns: tuple[ColumnInfo, ...] = ()
    n_inputs: Mapping[str, int] = field(default_factory=dict)
    n_folds: int = 1
    n_train: int = 0
    n_validation: int = 0
    n_test: int = 0
    notes: tuple[str, ...] = ()

    def inputs_under(self, scaling: str) -> int:
        """Inputs of a network under an input scaling, by its key."""
        return self.n_inputs.get(scaling, self.n_features)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledData:
    """A data set under one input scaling.

    test: one entry per fold, since each fold scales with its own training rows; None without test rows
    preprocessing: numbers and names (JSON types) that repeat the preparation on new rows, one per fold
    """

    training: TrainingData
    test: tuple[Rows, ...] | None
    preprocessing: Preparation = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """Everything a study needs of its data; the test rows stay with the coordinator until the end.

    scaled: by input scaling (`scaling_key`): those the study's trials may ask for
    refit: the same with all rows but the test rows as the training rows of one fold, nothing to validate on
    preparations, refit_preparations: what `ScaledData.preprocessing` of each is, without making arrays
    """

    info: DatasetInfo
    scaled: Mapping[str, ScaledData]
    refit: Mapping[str, ScaledData] = field(default_factory=dict)
    preparations: Mapping[str, Preparation] = field(default_factory=dict)
    refit_preparations: Mapping[str, Preparation] = field(default_factory=dict)

    def preparation(self, scaling: str, *, refit: bool) -> Preparation:
        """What was done to the columns under an input scaling, one entry per fold; () when nobody knows."""
        return (self.refit_preparations if refit else self.preparations).get(scaling, ())
