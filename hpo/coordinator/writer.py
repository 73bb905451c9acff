"""Writes of a driven study: tried again while the database is locked, the lease renewed meanwhile."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from hpo.errors import StorageFull, StorageUnavailable
from hpo.states import Wanted
from hpo.storage.base import Claim, Storage

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 4.0


class Writer:
    """Carries out reads and writes of one claim.

    patience_s: how long a database that is locked or away is tried again
    """

    def __init__(self, storage: Storage, claim: Claim, *, patience_s: float) -> None:
        self._storage = storage
        self._claim = claim
        self._patience_s = patience_s
        self._renewed = time.monotonic()

    def __call__(self, operation: Callable[[], T]) -> T:
        """The operation's result. Raises LeaseLost, StorageFull at once, StorageUnavailable in the end."""
        deadline = time.monotonic() + self._patience_s
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return operation()
            except StorageFull:
                raise
            except StorageUnavailable as error:
                if time.monotonic() + wait_s > deadline:
                    raise
                log.warning("the database is busy, again in %.1f s: %s", wait_s, error.detail)
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            with contextlib.suppress(StorageUnavailable):
                self._storage.renew(self._claim)

    def renew_if_due(self, every_s: float) -> Wanted:
        """Renew the lease when the last time is so long ago; what is wanted, if anything."""
        if time.monotonic() - self._renewed < every_s:
            return Wanted.NOTHING
        wanted = self(lambda: self._storage.renew(self._claim))
        self._renewed = time.monotonic()
        return wanted
