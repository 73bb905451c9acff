"""Databases for the tests of storage."""

from pathlib import Path

import pytest


@pytest.fixture
def file(empty_database: Path, tmp_path: Path) -> Path:
    """A SQLite file of this test's own, with all tables."""
    copy = tmp_path / "hpo.db"
    copy.write_bytes(empty_database.read_bytes())
    return copy
