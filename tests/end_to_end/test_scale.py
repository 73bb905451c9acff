"""The benchmark of a cluster that is not there runs, and every trial of its studies ends."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scale.py"
WORDS = ("--slots", "6", "--studies", "4", "--trials", "90", "--epochs", "3", "--slower", "0.1")


def test_pretending_workers_train_a_mix_of_studies_to_the_end():
    ran = subprocess.run([sys.executable, SCRIPT, *WORDS], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("90 trials ended in ")
