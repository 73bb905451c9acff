"""Read NPZ: arrays x and y, or x_train, y_train, x_test, y_test; never pickles."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.lib import format as arrays

from hpo.data.inflate import check_inflated
from hpo.data.table import MAX_COLUMNS, Array, Column, Table, number_column, text_column
from hpo.errors import DataError

# Names that go together, the first that are all there.
_TOGETHER = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("X_train", "y_train", "X_test", "y_test"),
    ("x", "y"),
    ("X", "y"),
    ("X", "Y"),
    ("data", "target"),
)
_HEADERS = {(1, 0): arrays.read_array_header_1_0, (2, 0): arrays.read_array_header_2_0}
_DAMAGE = (
    ValueError,
    TypeError,
    SyntaxError,
    OSError,
    EOFError,
    KeyError,
    RuntimeError,  # packed under a password
    NotImplementedError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def read(content: bytes, suffix: str) -> Table:
    """The table of an NPZ file; arrays of three and more axes are images. Raises DataError without a place."""
    found = _arrays(content)
    (x_name, x), (y_name, y), *test = found.items()
    _check_pair(x, y, x_name, y_name)
    if not test:
        return table_of(x, y)
    (x_test_name, x_test), (y_test_name, y_test) = test
    _check_pair(x_test, y_test, x_test_name, y_test_name)
    return _joined((x, x_test), (y, y_test))


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
    """The arrays that go together, in order; others are not read. Raises DataError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_inflated(sum(entry.file_size for entry in archive.infolist()), len(content))
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            names = next((names for names in _TOGETHER if set(names) <= set(entries)), None)
            if names is None:
                raise DataError(
                    f"has the arrays {_listed(entries) or 'none'}; wanted are x and y, or x_train, y_train, x_test and y_test"
                )
            return {name: _array(archive, entries[name], name) for name in names}
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(f"is not an NPZ file: {str(error)[:200]}") from error


def _listed(names: Iterable[str]) -> str:
    first = [name[:60] for name in sorted(names)]
    return ", ".join(first[:20]) + (f" and {len(first) - 20:,} more" if len(first) > 20 else "")


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Array:
    """One array, after a look at what its header promises: numpy makes room for it before it reads."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError("is packed in a way that numpy never does; save it with numpy.savez_compressed")
    with archive.open(entry) as file:
        header = _HEADERS.get(arrays.read_magic(file))
        if header is None:
            raise DataError(f"has an array {name} of a kind that cannot be used; save plain arrays")
        shape, _, dtype = header(file)
    if dtype.hasobject:
        raise DataError(
            "contains pickled objects, which could run any code; save plain arrays (dtype of numbers or text)"
        )
    if math.prod(shape) * max(dtype.itemsize, 1) > entry.file_size:
        raise DataError(
            f"has an array {name} that says it is of shape {shape}, and is shorter; save it again"
        )
    with archive.open(entry) as file:
        found: Array = arrays.read_array(file, allow_pickle=False)
    return found


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
