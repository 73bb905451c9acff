"""Every test of the core runs as a worker does: one thread, denormals flushed."""

from collections.abc import Iterator

import pytest
import torch

from hpo.fused.device import prepare_process


@pytest.fixture(autouse=True)
def _prepared() -> Iterator[None]:
    prepare_process()
    yield
    # Other tests of the process draw numbers down to the smallest.
    torch.set_flush_denormal(False)
