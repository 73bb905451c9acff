"""Set the environment that exact training needs, before any test imports torch."""

import logging
import os
import sys
from collections.abc import Iterator

if "torch" in sys.modules and os.environ.get("MKL_CBWR") != "AVX2":
    raise RuntimeError(
        "torch was imported before tests/conftest.py could set MKL_CBWR=AVX2; run pytest from the root"
    )
os.environ["MKL_CBWR"] = "AVX2"

import pytest
from hypothesis import settings

# Machines are shared and busy: a property test is judged by what it says, not by how long it takes.
settings.register_profile("hpo", deadline=None)
settings.load_profile("hpo")


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
