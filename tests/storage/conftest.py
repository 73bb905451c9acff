"""Databases for the tests of storage."""

from pathlib import Path

import pytest

from hpo.storage.open import open_storage


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied: making one takes most of a second."""
    file = tmp_path_factory.mktemp("empty") / "hpo.db"
    open_storage(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def file(empty_database: Path, tmp_path: Path) -> Path:
    """A SQLite file of this test's own, with all tables."""
    copy = tmp_path / "hpo.db"
    copy.write_bytes(empty_database.read_bytes())
    return copy
