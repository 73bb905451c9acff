"""A storage that is opened when it is first needed: a server starts while its database is still away."""

from __future__ import annotations

import logging
import threading
from typing import Any, cast

from hpo.storage.base import Storage
from hpo.storage.open import open_storage

log = logging.getLogger(__name__)


class LateStorage:
    """Opens the storage of a URL at its first use; until that works every use raises StorageUnavailable.

    An older database is refused (StorageVersion) unless it is SQLite's, as `open_storage` does.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: Storage | None = None
        self._opening = threading.Lock()

    def open(self) -> Storage:
        """The storage itself. Raises what `open_storage` raises."""
        with self._opening:  # one thread tries, the others have its answer
            if self._opened is None:
                self._opened = open_storage(self._url)
                log.info("the database is there")
            return self._opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened or self.open(), name)

    def close(self) -> None:
        """Let go of connections, if there are any."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()


def open_late(url: str) -> Storage:
    """The storage of a URL that may be away for now. Raises SpecError for one that can never be opened."""
    return cast(Storage, LateStorage(url))
