"""Optuna's own suite for storages passes on a database that hpo made, wrote and emptied again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from optuna.testing.pytest_storages import StorageTestCase

from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.studies import finished


@pytest.fixture(scope="module")
def used_database(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which a study was run and removed: Optuna's suite counts studies from none."""
    file = tmp_path_factory.mktemp("used") / "hpo.db"
    file.write_bytes(empty_database.read_bytes())
    storage = open_storage(f"sqlite:///{file}")
    storage.release(finished(storage, [0.5, 0.7]), StudyState.COMPLETED)
    storage.enqueue("wine", [({"hidden_units": 16}, None)])
    storage.delete_study("wine")
    storage.close()
    return file


class TestOptunasStorageSuite(StorageTestCase):
    """Every test of optuna.testing.pytest_storages, on the SQLite file."""

    @pytest.fixture
    def storage(self, used_database: Path, tmp_path: Path) -> Iterator[RDBStorage]:
        file = tmp_path / "hpo.db"
        file.write_bytes(used_database.read_bytes())
        storage = RDBStorage(f"sqlite:///{file}")
        yield storage
        storage.engine.dispose()
