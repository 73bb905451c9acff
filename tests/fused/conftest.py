"""Every test of the core runs as a worker does: one thread, denormals flushed."""

import pytest

from hpo.fused.device import prepare_process


@pytest.fixture(autouse=True)
def _prepared() -> None:
    prepare_process()
