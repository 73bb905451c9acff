"""Take numbers out of pyarrow without pandas, whose import takes a second."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hpo.data.table import Array


def from_arrow(cells: pa.Array) -> Array:
    """The numbers of an Arrow array without empty cells. pyarrow's own to_numpy would import pandas."""
    return np.array(np.from_dlpack(cells)) if len(cells) else np.empty(0)
