"""Load the data sets inside scikit-learn from its files, without the two seconds that importing it takes."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hpo.data.table import Column, Floats64, Kind, Table, number_column
from hpo.dataset import Task
from hpo.errors import DataError

_IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
_WINE = (
    "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols "
    "proanthocyanins color_intensity hue od280/od315_of_diluted_wines proline"
)
_CELL = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)
_CANCER = (
    *(f"mean {name}" for name in _CELL),
    *(f"{name} error" for name in _CELL),
    *(f"worst {name}" for name in _CELL),
)


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A file whose first line counts rows and columns and names the classes."""

    file: str
    names: tuple[str, ...]

    def load(self) -> Table:
        with io.TextIOWrapper(io.BytesIO(_read(self.file)), encoding="utf-8") as text:
            lines = csv.reader(text)
            classes = tuple(next(lines)[2:])
            cells = np.array(list(lines), dtype=np.float64)
        target = Column(
            name="target", kind=Kind.TEXT, values=cells[:, -1].astype(np.int64), levels=classes, ordered=True
        )
        return Table(
            columns=(target,),
            block=cells[:, :-1],
            block_names=self.names,
            target="target",
            task=Task.CLASSIFICATION,
        )


def _digits() -> Table:
    cells = _matrix("digits.csv.gz", ",")
    target = number_column("target", cells[:, -1].astype(np.int64))
    names = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return Table(
        columns=(target,),
        block=cells[:, :-1],
        block_names=names,
        target="target",
        task=Task.CLASSIFICATION,
        images=True,
    )


def _diabetes() -> Table:
    # The raw columns: scikit-learn's default ones were scaled with what are test rows here.
    block = _matrix("diabetes_data_raw.csv.gz")
    target = number_column("target", _matrix("diabetes_target.csv.gz"))
    names = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    return Table(columns=(target,), block=block, block_names=names, target="target", task=Task.REGRESSION)


_LOADERS: dict[str, Callable[[], Table]] = {
    "digits": _digits,
    "iris": _Labelled("iris.csv", _IRIS).load,
    "wine": _Labelled("wine_data.csv", tuple(_WINE.split())).load,
    "breast_cancer": _Labelled("breast_cancer.csv", _CANCER).load,
    "diabetes": _diabetes,
}


def load(name: str, options: Mapping[str, object]) -> Table:
    """A data set of scikit-learn by its name there; it has no options. Raises DataError."""
    for option in options:
        raise DataError(f"{name} has no options", field=f"data.options.{option}")
    return _LOADERS[name]()


def _matrix(file: str, delimiter: str | None = None) -> Floats64:
    text = gzip.decompress(_read(file)).decode()
    return np.loadtxt(io.StringIO(text), delimiter=delimiter)


def _read(file: str) -> bytes:
    # find_spec does not run the package, importlib.resources would.
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("the built-in data sets are scikit-learn's; install scikit-learn")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / file
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"scikit-learn's {file} cannot be read: {error.strerror}") from error
