"""Writes of a driven study: tried again while the database is locked, the lease renewed meanwhile."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hpo.errors import LeaseLost, StorageFull, StorageUnavailable
from hpo.states import Wanted
from hpo.storage.base import Claim, Storage

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 4.0
LOOK_S = 0.1  # whether it is in a hurry now


class Writer:
    """Carries out reads and writes of one claim.

    patience_s: how long a database that is locked, full or away is tried again; inf: as long as it takes
    hurried: whether not to wait any more
    """

    def __init__(
        self,
        storage: Storage,
        claim: Claim,
        *,
        patience_s: float,
        hurried: Callable[[], bool] = lambda: False,
    ) -> None:
        self._hurried = hurried
        self._storage = storage
        self._claim = claim
        self._patience_s = patience_s
        self._renewed = time.monotonic()

    def __call__(self, operation: Callable[[], T]) -> T:
        """The operation's result. Raises LeaseLost, StorageUnavailable in the end; StorageFull at once, unless
        there is no end."""
        deadline = time.monotonic() + self._patience_s
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return operation()
            except StorageUnavailable as error:
                full = isinstance(error, StorageFull) and not math.isinf(deadline)
                if full or time.monotonic() + wait_s > deadline or self._hurried():
                    raise
                # Once is enough to read: it may be away for hours.
                level = logging.WARNING if wait_s == FIRST_WAIT_S else logging.DEBUG
                log.log(level, "the database is busy, again in %.1f s: %s", wait_s, error.detail)
            self._sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            # A claim that is void may have been ended by this very operation, whose answer was lost.
            with contextlib.suppress(StorageUnavailable, LeaseLost):
                self._storage.renew(self._claim)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._hurried():
            time.sleep(min(LOOK_S, seconds))

    def renew_if_due(self, every_s: float, live: Callable[[], Mapping[str, Any]]) -> Wanted:
        """Renew the lease when the last time is so long ago; what is wanted, if anything. live: how fast it goes"""
        if time.monotonic() - self._renewed < every_s:
            return Wanted.NOTHING
        wanted = self(lambda: self._storage.renew(self._claim, live=live()))
        self._renewed = time.monotonic()
        return wanted
