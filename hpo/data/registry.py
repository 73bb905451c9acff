"""The data sets that have a name: scikit-learn's small ones and the Playground's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from hpo.data.names import BUILT_IN
from hpo.data.table import Array, Kind, Table

__all__ = ["BUILT_IN", "arrays_sha256", "load_built_in"]

# Modules by name, loaded when one of their sets is asked for: a search should not pay for what it does not use.
_BUNDLED, _PLAYGROUND = "hpo.data.bundled", "hpo.data.playground"
_HOMES: dict[str, str] = {
    **dict.fromkeys(("digits", "iris", "wine", "breast_cancer", "diabetes"), _BUNDLED),
    **dict.fromkeys(("spiral", "circle", "xor", "gauss", "plane"), _PLAYGROUND),
}


def load_built_in(name: str, options: Mapping[str, Any]) -> tuple[Table, str]:
    """A built-in data set and the SHA-256 of its arrays. Raises DataError for a wrong option."""
    table: Table = import_module(_HOMES[name]).load(name, options)
    return table, arrays_sha256(table)


def arrays_sha256(table: Table) -> str:
    """The SHA-256 of a table's numbers, names and classes.

    >>> a, b = (load_built_in("spiral", {"noise": noise})[1] for noise in (0.0, 0.1))
    >>> a == b, len(a)
    (False, 64)
    """
    digest = hashlib.sha256("\x1f".join(table.names).encode())
    arrays: list[Array] = [] if table.block is None else [table.block]
    arrays += [column.values for column in table.columns]
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    for column in table.columns:
        if column.kind is Kind.TEXT:
            digest.update("\x1f".join(column.levels).encode())
    return digest.hexdigest()
