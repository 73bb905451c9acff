"""Turns at what takes much memory: a few at a time, a few who wait a little, and all others are told to come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hpo.errors import TooManyRequests


class Turns:
    """Lets threads in a few at a time. Few may wait, since each who does is one fewer for other requests.

    n: at a time; waiting: beside them; patience_s: how long one waits
    """

    def __init__(self, n: int, *, waiting: int, patience_s: float) -> None:
        self._n, self._patience_s = n, patience_s
        self._present = threading.BoundedSemaphore(n + waiting)
        self._at_work = threading.BoundedSemaphore(n)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Work while it is one's turn. Raises TooManyRequests."""
        with self._place(self._present, 0.0), self._place(self._at_work, self._patience_s):
            yield

    @contextmanager
    def _place(self, places: threading.BoundedSemaphore, patience_s: float) -> Iterator[None]:
        if not places.acquire(timeout=patience_s):
            raise TooManyRequests(
                f"the server does {self._n} of these at a time, and others came first; try again in some seconds",
                retry_after_s=self._patience_s,
            )
        try:
            yield
        finally:
            places.release()
