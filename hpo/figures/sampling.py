"""Fewer points that look the same: the best, the extremes and the ends stay, the rest is taken evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpo.figures.columns import Floats, Ints

MOST = 2_000  # points of one figure: more cannot be told apart on a screen


def outline(values: Floats, most: int = MOST, keep: Sequence[int] = ()) -> Ints:
    """The places of at most `most` of the finite values, ascending; all of them where they are no more.

    The values are cut into stretches of equal length; of each its lowest and its highest stay, so the picture
    has the same outline and the lowest and the highest of all are there. First, last and keep stay too.

    values: [n]; most: at least 4 + len(keep)

    >>> outline(np.array([5.0, 1.0, 2.0, 9.0, 3.0, 3.0, 4.0]), most=4).tolist()
    [0, 1, 3, 6]
    """
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) <= most:
        return finite.astype(np.int64)
    ends = {int(finite[0]), int(finite[-1]), *(place for place in keep if np.isfinite(values[place]))}
    stretches = np.array_split(finite, max(1, (most - len(ends)) // 2))
    low = [stretch[np.argmin(values[stretch])] for stretch in stretches]
    high = [stretch[np.argmax(values[stretch])] for stretch in stretches]
    return np.array(sorted({*ends, *map(int, low), *map(int, high)}), dtype=np.int64)


def ranks(values: Floats, most: int, keep: Sequence[int] = ()) -> Ints:
    """The places of at most `most` finite values, evenly from the lowest to the highest, and keep; ascending.

    >>> ranks(np.array([30.0, 10.0, np.nan, 20.0, 40.0, 50.0]), most=3).tolist()
    [0, 1, 5]
    """
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) <= most:
        return np.array(sorted({*map(int, finite), *keep}), dtype=np.int64)
    order = finite[np.argsort(values[finite], kind="stable")]
    evenly = _evenly(order, most)
    if not evenly.issuperset(keep):
        evenly = _evenly(order, max(2, most - len(keep))) | set(keep)
    return np.array(sorted(evenly), dtype=np.int64)


def _evenly(order: Ints, most: int) -> set[int]:
    return set(order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)].tolist())


def best_place(values: Floats, sign: int) -> int | None:
    """The place of the best finite value, the first of equals; sign: 1 when small is good, -1 when large is."""
    finite = np.flatnonzero(np.isfinite(values))
    return int(finite[np.argmin(sign * values[finite])]) if len(finite) else None
