"""Every storage keeps the same contract."""

from pathlib import Path

import pytest

from hpo.storage.base import Storage
from hpo.storage.memory import Memory
from hpo.storage.open import open_storage
from hpo.testing.storage import StorageContract


class TestMemory(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return open_storage("memory://")

    def test_it_is_the_twin_in_memory(self, storage: Storage):
        assert isinstance(storage, Memory)


class TestSqlite(StorageContract):
    @pytest.fixture
    def storage(self, empty_database: Path, tmp_path: Path):
        file = tmp_path / "hpo.db"
        file.write_bytes(empty_database.read_bytes())
        storage = open_storage(f"sqlite:///{file}")
        yield storage
        storage.close()
