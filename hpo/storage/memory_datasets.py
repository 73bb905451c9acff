"""Data sets of the in-memory storage, and the lock that makes each of its calls a transaction."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from hpo.errors import DatasetNotFound
from hpo.storage.base import StoredDataset
from hpo.storage.memory_study import plain
from hpo.storage.rules import check_unused
from hpo.study import Study

CHUNK_BYTES = 1 << 20
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="MemoryDatasets")


def alone(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """One call at a time, as one transaction."""

    @wraps(method)
    def locked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


class MemoryDatasets(ABC):
    """Uploaded data sets in this process's memory; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._datasets: dict[str, tuple[StoredDataset, bytes]] = {}

    @abstractmethod
    def open_studies(self) -> list[Study]:
        """The studies that are not final, which may use a data set."""

    @alone
    def add_dataset(self, name: str, chunks: Iterable[bytes], info: Mapping[str, Any]) -> StoredDataset:
        """Keep bytes, by SHA-256."""
        data = b"".join(chunks)
        sha256 = hashlib.sha256(data).hexdigest()
        new = StoredDataset(
            id=f"ds_{sha256[:16]}", name=name, sha256=sha256, n_bytes=len(data), info=plain(info)
        )
        return self._datasets.setdefault(new.id, (new, data))[0]

    @alone
    def list_datasets(self) -> list[StoredDataset]:
        """All uploaded data sets, by name."""
        return sorted((kept for kept, _ in self._datasets.values()), key=lambda kept: kept.name)

    def _dataset(self, key: str) -> tuple[StoredDataset, bytes]:
        for kept, data in reversed(self._datasets.values()):
            if key in (kept.id, kept.name):
                return kept, data
        raise DatasetNotFound(f"no data set is called {key!r}; `hpo data ls` shows what there is")

    @alone
    def get_dataset(self, key: str) -> StoredDataset:
        """By id or name."""
        return self._dataset(key)[0]

    @alone
    def read_dataset(self, key: str) -> Iterator[bytes]:
        """Its bytes in chunks of at most 1 MiB."""
        data = self._dataset(key)[1]
        return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))

    @alone
    def delete_dataset(self, key: str) -> None:
        """Remove it."""
        found = self._dataset(key)[0]
        for study in self.open_studies():
            check_unused(found, study.name, study.spec)
        del self._datasets[found.id]
