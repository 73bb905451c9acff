"""Rate limits: a bucket of tokens for each who asks, that fills as time goes by."""

from __future__ import annotations

import time
from collections.abc import Callable

MANY = 10_000  # buckets; then the full ones, which are as good as none, are thrown away


class Buckets:
    """One bucket per name, full at first. For one thread: the event loop's.

    rate: tokens a second that flow into each; size: what each holds
    """

    def __init__(self, rate: float, size: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._size, self._clock = rate, size, clock
        self._levels: dict[str, tuple[float, float]] = {}  # tokens, and when there were as many

    def wait_s(self, name: str) -> float:
        """How many seconds until there is a token: 0 when there is one."""
        return max(0.0, (1.0 - self._level(name)) / self._rate)

    def take(self, name: str) -> float:
        """Take a token if there is one; how many seconds until there is, 0 when it was taken."""
        level = self._level(name)
        if level < 1.0:
            return (1.0 - level) / self._rate
        if name not in self._levels and len(self._levels) >= MANY:
            self._throw_full_away()
        self._levels[name] = (level - 1.0, self._clock())
        return 0.0

    def _level(self, name: str) -> float:
        level, since = self._levels.get(name, (self._size, 0.0))
        return min(self._size, level + (self._clock() - since) * self._rate)

    def _throw_full_away(self) -> None:
        self._levels = {name: kept for name, kept in self._levels.items() if self._level(name) < self._size}

    def __len__(self) -> int:
        return len(self._levels)
