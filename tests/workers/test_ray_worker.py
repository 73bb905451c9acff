"""What runs within a Ray actor, without Ray."""

import os
import subprocess
import sys

from hpo import __version__
from hpo.workers.messages import Hello, Unfit
from hpo.workers.ray_worker import RayWorker

PERFORM = """
from hpo import __version__
from hpo.workers.ray_worker import RayWorker

for report in RayWorker("cpu", __version__).perform(None, None):
    print(report, flush=True)
"""


def test_a_worker_whose_thread_fails_ends_instead_of_beating_for_ever():
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}

    worker = subprocess.run(
        [sys.executable, "-c", PERFORM], env=environment, capture_output=True, text=True, timeout=50
    )

    assert worker.returncode == 1
    assert "MKL_CBWR=AVX2 must be in the environment" in worker.stderr


def test_a_machine_with_another_hpo_is_turned_away():
    same, other = RayWorker("cpu", __version__).hello(), RayWorker("cpu", "0.0.1").hello()

    assert isinstance(same, Hello)
    assert other == Unfit(
        detail=f"a worker has hpo {__version__}, its pool 0.0.1: install one on all machines"
    )
