"""One process of the program for all pages, whose commands need not start it each time."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hpo.testing.server_program import until
from tests.docs.pages import ROOT


def one_core():
    """Of the cores there are, the one for this process of pytest: a search on one core starts one worker."""
    cores = sorted(os.sched_getaffinity(0))
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return {cores[int(number) % len(cores)]}


@pytest.fixture(scope="session")
def warm():
    """Where a process listens that performs `hpo` without its start, on one core (tests/docs/warm.py)."""
    folder = Path(tempfile.mkdtemp(prefix="hpo-warm-"))
    place = folder / "socket"
    line, end = os.pipe()
    command = [sys.executable, "-m", "tests.docs.warm", place, str(line)]
    subprocess.run(
        command,
        cwd=ROOT,
        pass_fds=[line],
        start_new_session=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, one_core()),
    )
    os.close(line)
    try:
        until(place.exists)
        yield place
    finally:
        os.close(end)
        shutil.rmtree(folder)
