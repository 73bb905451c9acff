"""The best value so far as a line of small bars, by the number of trials that have ended."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=^"


def sparkline(values: Sequence[float], bars: str = BARS) -> str:
    """Values as bars, from the lowest to the highest of them; all in the middle where they are equal.

    >>> sparkline([0.0, 0.5, 0.9, 1.0]), sparkline([2.0, 2.0])
    ('▁▅▇█', '▄▄')
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    if high <= low:
        return bars[(len(bars) - 1) // 2] * len(values)
    # Each divided by itself: high - low may overflow.
    span = high / 2 - low / 2
    return "".join(bars[int((v / 2 - low / 2) / span * (len(bars) - 1) + 0.5)] for v in values)


class BestSoFar:
    """How the best value moved while somebody looked: one step for each change, so it stays small."""

    def __init__(self) -> None:
        self._at: list[int] = []  # trials ended when the value was first seen
        self._values: list[float] = []
        self._now = 0

    def note(self, n_finished: int, value: float | None) -> None:
        """The best value after so many trials; None: there is none (any more)."""
        if (
            value is None or n_finished < self._now
        ):  # what was counted counts no more, or another study of that name
            self._at, self._values = [], []
        self._now = n_finished
        if value is not None and (not self._values or self._values[-1] != value):
            self._at.append(n_finished)
            self._values.append(value)

    @property
    def has_moved(self) -> bool:
        """Whether it was another one before."""
        return len(self._values) > 1

    def sampled(self, n: int) -> list[float]:
        """The best value at n moments evenly apart, the first and the last trial included; [] while there is none.

        >>> best = BestSoFar()
        >>> for n_finished, value in [(1, 0.1), (5, 0.8), (9, 0.9)]:
        ...     best.note(n_finished, value)
        >>> best.sampled(5)
        [0.1, 0.1, 0.8, 0.8, 0.9]
        """
        if not self._values or n < 1:
            return []
        first, gaps = self._at[0], max(1, n - 1)
        moments = [first + (self._now - first) * (gaps - i) // gaps for i in range(n)]
        return [self._values[bisect_right(self._at, moment) - 1] for moment in reversed(moments)]
