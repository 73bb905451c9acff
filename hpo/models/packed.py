"""Large arrays of a preparation record: in JSON as base64 text, in a file of tensors as tensors."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.errors import DataError

Floats64 = NDArray[np.float64]
Tensors = Mapping[str, NDArray[Any]]


def unpacked(entry: Mapping[str, Any]) -> Floats64:
    """The array of an entry as `hpo.data.scalings` writes it: its shape, and its doubles in base64.

    >>> unpacked(packed(np.array([[0.5, 2.0]])))
    array([[0.5, 2. ]])
    """
    array = np.frombuffer(b64decode(entry["float64"]), dtype="<f8").reshape(entry["shape"])
    return array.astype(np.float64)


def packed(array: Floats64) -> dict[str, Any]:
    """The entry of an array; exact."""
    return {"shape": list(array.shape), "float64": b64encode(array.astype("<f8").tobytes()).decode("ascii")}


def taken_out(record: Mapping[str, Any], prefix: str) -> tuple[dict[str, Any], dict[str, Floats64]]:
    """A record whose arrays are named instead of written, and these arrays by name."""
    arrays: dict[str, Floats64] = {}

    def moved(name: str, entry: Any) -> Any:
        if not (isinstance(entry, Mapping) and "float64" in entry):
            return entry
        arrays[f"{prefix}.{name}"] = unpacked(entry)
        return {"tensor": f"{prefix}.{name}"}

    scaling = {name: moved(name, entry) for name, entry in record.get("scaling", {}).items()}
    return {**record, **({"scaling": scaling} if scaling else {})}, arrays


def put_back(record: Mapping[str, Any], arrays: Tensors) -> dict[str, Any]:
    """The record with its arrays written again. Raises DataError when one is missing or no numbers."""
    scaling = dict(record.get("scaling", {}))
    for name, entry in scaling.items():
        if isinstance(entry, Mapping) and "tensor" in entry:
            scaling[name] = packed(_of(arrays, entry["tensor"]))
    return {**record, **({"scaling": scaling} if scaling else {})}


def _of(arrays: Tensors, name: str) -> Floats64:
    array = arrays.get(name)
    if array is None or array.dtype != np.float64 or not np.isfinite(array).all():
        raise DataError(f"the model's numbers {name!r} are missing or are none")
    return array
