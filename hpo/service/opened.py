"""The local database, opened when something is first asked of it."""

from __future__ import annotations

from collections.abc import Callable

from hpo.settings import EXACT
from hpo.storage.base import Storage
from hpo.storage.open import open_storage


def _nothing() -> None:
    """What is to be done before most databases are opened."""


class Opened:
    """A database by its URL. prepare: is called before it is opened; precision: of the studies submitted to it."""

    server: str | None = None

    def __init__(
        self, storage: str, *, prepare: Callable[[], None] = _nothing, precision: str = EXACT
    ) -> None:
        self._url = storage
        self._prepare = prepare
        self._precision = precision
        self._storage: Storage | None = None

    @property
    def storage(self) -> Storage:
        """The open database. Raises StorageUnavailable, StorageVersion."""
        if self._storage is None:
            self._prepare()
            self._storage = open_storage(self._url)
        return self._storage

    def open(self) -> Storage:
        """The same, for those who take a function that opens."""
        return self.storage

    def close(self) -> None:
        """Let go of connections."""
        if self._storage is not None:
            self._storage.close()
            self._storage = None
