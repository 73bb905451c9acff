"""A trial's curve with as many points as a picture can show; its peaks and dips are among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hpo.errors import SpecError
from hpo.service.records import plain
from hpo.storage.base import Storage

FEWEST, MOST = 4, 10_000
DEFAULT_POINTS = 200


def curve(storage: Storage, name: str, number: int, *, points: int = DEFAULT_POINTS) -> dict[str, Any]:
    """What a trial's epochs came to: for each column at most so many epochs and their values.

    columns: empty while it trains, and where nothing was measured. Raises StudyNotFound, TrialNotFound, SpecError.
    """
    if not FEWEST <= points <= MOST:
        raise SpecError(f"must be between {FEWEST} and {MOST:,}, got {points}", field="points")
    found = storage.curve(name, number)
    columns = {} if found is None else {column: found.column(column) for column in found.columns}
    return {
        "study": name,
        "number": number,
        "epochs": 0 if found is None else found.n_epochs,
        "columns": {column: _shown(values, points) for column, values in columns.items()},
    }


def _shown(values: Sequence[float], points: int) -> dict[str, Any]:
    places = kept_places(values, points)
    return {"epoch": [place + 1 for place in places], "value": plain([values[place] for place in places])}


def kept_places(values: Sequence[float], points: int) -> list[int]:
    """The places of at most so many values: the first, the last, and of each stretch between the least and the most.

    A stretch in which nothing is a number keeps its first place, so that a gap stays a gap.

    >>> kept_places([0, 1, 9, 1, 1, -5, 1, 1], 6)
    [0, 1, 2, 4, 5, 7]
    """
    n = len(values)
    if n <= points:
        return list(range(n))
    n_stretches = (points - 2) // 2
    kept = {0, n - 1}
    for stretch in range(n_stretches):
        begin, end = (1 + (n - 2) * part // n_stretches for part in (stretch, stretch + 1))
        finite = [place for place in range(begin, end) if math.isfinite(values[place])]
        kept |= (
            {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)} if finite else {begin}
        )
    return sorted(kept)
