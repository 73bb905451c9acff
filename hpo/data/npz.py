"""Read NPZ: arrays x and y, or x_train, y_train, x_test, y_test; never pickles."""

from __future__ import annotations

import io
import math
import zipfile
import zlib

import numpy as np

from hpo.data.table import MAX_COLUMNS, Array, Column, Table, number_column, text_column
from hpo.errors import DataError

_PAIRS = (("x", "y"), ("X", "y"), ("X", "Y"), ("data", "target"))
_SPLIT_PAIRS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("X_train", "y_train", "X_test", "y_test"),
)


def read(content: bytes, suffix: str) -> Table:
    """The table of an NPZ file; arrays of three and more axes are images. Raises DataError without a place."""
    arrays = _arrays(content)
    for quartet in _SPLIT_PAIRS:
        if all(key in arrays for key in quartet):
            x_train, y_train, x_test, y_test = (arrays[key] for key in quartet)
            _check_pair(x_train, y_train, quartet[0], quartet[1])
            _check_pair(x_test, y_test, quartet[2], quartet[3])
            return _joined((x_train, x_test), (y_train, y_test))
    for x_key, y_key in _PAIRS:
        if x_key in arrays and y_key in arrays:
            _check_pair(arrays[x_key], arrays[y_key], x_key, y_key)
            return table_of(arrays[x_key], arrays[y_key])
    raise DataError(
        f"has the arrays {', '.join(sorted(arrays)) or 'none'}; wanted are x and y, or x_train, y_train, x_test and y_test"
    )


def table_of(x: Array, y: Array, test: Array | None = None, target: str = "y") -> Table:
    """A table of features x [n, …] and targets y [n]; more than one feature axis means images."""
    images = x.ndim >= 3
    block = x.reshape(len(x), math.prod(x.shape[1:]))
    if block.shape[1] > MAX_COLUMNS:
        raise DataError(f"has {block.shape[1]:,} columns; at most {MAX_COLUMNS:,} are possible")
    if block.shape[1] == 0:
        raise DataError("has no feature columns")
    names = tuple(f"{'pixel' if images else 'x'}{index}" for index in range(1, block.shape[1] + 1))
    return Table(
        columns=(_target(target, y),), block=block, block_names=names, target=target, images=images, test=test
    )


def _arrays(content: bytes) -> dict[str, Array]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError("is a single array; save x and y together with numpy.savez_compressed")
            return {key: archive[key] for key in archive.files}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise DataError(
                "contains pickled objects, which could run any code; save plain arrays (dtype of numbers or text)"
            ) from error
        raise DataError(f"is not an NPZ file: {error}") from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"is not an NPZ file: {error}") from error


def _check_pair(x: Array, y: Array, x_key: str, y_key: str) -> None:
    if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
        raise DataError(f"has no arrays in {x_key} and {y_key}")
    if x.ndim == 0 or x.dtype.kind not in "biuf":
        raise DataError(
            f"has an array {x_key} of {x.dtype} with shape {x.shape}; wanted are numbers [rows, features]"
        )
    if y.dtype.kind not in "biufUS" or y.ndim == 0 or y.size != len(y):
        raise DataError(
            f"has an array {y_key} of {y.dtype} with shape {y.shape}; wanted is one value per row"
        )
    if len(x) != len(y):
        raise DataError(f"has {len(x):,} rows in {x_key} but {len(y):,} in {y_key}")


def _joined(x: tuple[Array, Array], y: tuple[Array, Array]) -> Table:
    if x[0].shape[1:] != x[1].shape[1:]:
        raise DataError(
            f"has training rows of shape {x[0].shape[1:]} but test rows of shape {x[1].shape[1:]}"
        )
    if (y[0].dtype.kind in "US") != (y[1].dtype.kind in "US"):
        raise DataError("has numbers as targets of one part and text as those of the other")
    test = np.arange(len(x[0]) + len(x[1])) >= len(x[0])
    return table_of(np.concatenate(x), np.concatenate([part.reshape(-1) for part in y]), test)


def _target(name: str, y: Array) -> Column:
    flat = y.reshape(-1)
    if flat.dtype.kind == "S":
        flat = np.char.decode(flat, "latin-1")
    return text_column(name, flat) if flat.dtype.kind == "U" else number_column(name, flat)
