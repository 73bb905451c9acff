"""A coordinator that is really killed in the middle of its brackets leaves them so that they end alike."""

import subprocess
import sys
from pathlib import Path

from hpo.states import StudyState
from tests.coordinator.test_brackets import HALVING, spec_with

CHILD = """
import sys
from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.service.processes import is_alive
from hpo.storage.open import open_storage
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.small_jobs import data_of
from tests.coordinator.test_brackets import HALVING, spec_with

def step():
    print("epoch", flush=True)
    sys.stdin.readline()

storage = open_storage(sys.argv[1])
driver = storage.get_study("small").driver
dead = driver if driver is not None and is_alive(driver) is False else None
job = Job(name="small", spec=spec_with(HALVING), data=data_of())
Coordinator(storage, SimulatedPool(each_poll=step), options=Options(max_lanes=5)).run(job, dead=dead)
"""


def test_a_killed_coordinator_leaves_brackets_that_end_alike(make_world, tmp_path: Path):
    undisturbed = make_world(spec_with(HALVING))
    undisturbed.run()
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    world = make_world(spec_with(HALVING), url=url)

    for n_epochs in (3, 9, 17, None):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as child:
            for n, _ in enumerate(child.stdout, start=1):
                child.stdin.write("\n")
                child.stdin.flush()
                if n == n_epochs:
                    child.kill()
                    break
            child.stdin.close()

    assert world.storage.get_study("small").state is StudyState.COMPLETED
    assert world.bits() == undisturbed.bits()
