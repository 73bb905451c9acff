"""Data sets of the in-memory storage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hpo.errors import DatasetNotFound
from hpo.storage.base import StoredDataset
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_study import plain
from hpo.storage.rules import check_unused

CHUNK_BYTES = 1 << 20


class MemoryDatasets(MemoryBase):
    """Uploaded data sets in this process's memory; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        super().__init__()
        self.datasets: dict[str, tuple[StoredDataset, bytes]] = {}

    @alone
    def add_dataset(self, name: str, chunks: Iterable[bytes], info: Mapping[str, Any]) -> StoredDataset:
        """Keep bytes, by SHA-256."""
        data = b"".join(chunks)
        sha256 = hashlib.sha256(data).hexdigest()
        new = StoredDataset(
            id=f"ds_{sha256[:16]}",
            name=name,
            sha256=sha256,
            n_bytes=len(data),
            info=plain(info),
            added_at=datetime.now(UTC),
        )
        return self.datasets.setdefault(new.id, (new, data))[0]

    @alone
    def list_datasets(
        self, *, limit: int | None = None, after: tuple[str, str] | None = None
    ) -> list[StoredDataset]:
        """Uploaded data sets, by name."""
        found = sorted((kept for kept, _ in self.datasets.values()), key=lambda kept: (kept.name, kept.id))
        return [kept for kept in found if after is None or (kept.name, kept.id) > after][:limit]

    def _dataset(self, key: str) -> tuple[StoredDataset, bytes]:
        if key in self.datasets:
            return self.datasets[key]
        for kept, data in reversed(self.datasets.values()):
            if kept.name == key:
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
        del self.datasets[found.id]
