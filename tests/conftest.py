"""Set the environment that exact training needs, before any test imports torch; deal out what all tests share."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path

if "torch" in sys.modules and os.environ.get("MKL_CBWR") != "AVX2":
    raise RuntimeError(
        "torch was imported before tests/conftest.py could set MKL_CBWR=AVX2; run pytest from the root"
    )
os.environ["MKL_CBWR"] = "AVX2"
# As in the processes that train and plan. Idle threads spin, and as many processes as cores test at once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import pytest
from hypothesis import settings

# Machines are shared and busy: a property test is judged by what it says, not by how long it takes.
settings.register_profile("hpo", deadline=None)
settings.load_profile("hpo")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes test, each begins with slow files of its own: one that came last would be waited for.

    pytest-xdist gives each process one stretch of the list, and moves what is left of the longest at its end.
    """
    n = getattr(config, "workerinput", {}).get("workercount", 1)
    if n == 1:
        return
    quick = [item for item in items if not item.get_closest_marker("slow")]
    slow = [item for item in items if item.get_closest_marker("slow")]
    files = [list(tests) for _, tests in groupby(slow, key=lambda item: item.path)]  # they share fixtures
    dealt: list[pytest.Item] = []
    for i in range(n):
        share = list(chain(*files[i::n]))
        n_quick = max(0, len(items) * (i + 1) // n - len(dealt) - len(share))
        dealt += share + quick[:n_quick]
        del quick[:n_quick]
    items[:] = dealt


@pytest.fixture(autouse=True)
def _numbers_as_they_are() -> Iterator[None]:
    """A test that trains flushes denormals for its whole process; other tests draw numbers down to the smallest."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """The program sends hpo's log lines to standard error; the next test may want to see them elsewhere."""
    log = logging.getLogger("hpo")
    before = log.handlers[:], log.propagate, log.level
    yield
    log.handlers[:], log.propagate = before[0], before[1]
    log.setLevel(before[2])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied: making one takes most of a second."""
    from hpo.storage.open import open_storage

    file = tmp_path_factory.mktemp("empty") / "hpo.db"
    open_storage(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def sqlite(empty_database: Path, tmp_path: Path) -> str:
    """The URL of an empty SQLite database."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'hpo.db')}"


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    from hpo.testing.postgres import postgres_server

    with postgres_server() as url:
        if url is None:
            pytest.skip("this machine has no PostgreSQL server; HPO_TEST_POSTGRES may name one elsewhere")
        yield url


@pytest.fixture
def postgres(_postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    from hpo.testing.postgres import empty

    yield _postgres_server
    empty(_postgres_server)
