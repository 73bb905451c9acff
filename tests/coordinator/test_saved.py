"""A cohort that was saved goes on from there, whoever has died, and comes to the same end."""

from collections import Counter

import pytest

from hpo.cohort import CohortTask
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import spec_of
from tests.coordinator.test_brackets import HALVING, spec_with
from tests.coordinator.test_crashes import Deadly, Killed

PLAIN = spec_of(trials=12, epochs=12)
SPECS = pytest.mark.parametrize("spec", [PLAIN, spec_with(HALVING)], ids=["plain", "halving"])


@pytest.fixture
def undisturbed(make_world):
    def run(spec, **how):
        world = make_world(spec)
        world.run(**how)
        return world

    return run


def resumed(world):
    """The tasks that went on from a checkpoint, and those that began anew."""
    tasks = [task for pool in world.pools for task in pool.submitted if isinstance(task, CohortTask)]
    return Counter(bool(task.checkpoints) for task in tasks)


@SPECS
@pytest.mark.parametrize("epoch", [2, 5, 7])
def test_a_lost_cohort_goes_on_from_where_it_stood(make_world, undisturbed, spec, epoch):
    world = make_world(spec)
    faults = [Fault(submission=n, epoch=epoch) for n in (0, 1, 2)]

    study = world.run(workers=1, max_lanes=12, faults=faults, saves=2)

    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed(spec).bits()
    assert resumed(world)[True] >= (epoch > 2)


def test_losses_count_only_where_nothing_was_gained(make_world):
    """Each time the cohort comes two epochs further before its worker dies: it is never cut."""
    world = make_world(PLAIN)

    study = world.run(
        workers=1, max_lanes=12, saves=2, faults=[Fault(submission=n, epoch=2 * n + 3) for n in range(5)]
    )

    assert study.state is StudyState.COMPLETED
    assert [len(task.lanes) for task in world.pools[0].submitted if isinstance(task, CohortTask)] == [12] * 6


def test_halves_of_a_cohort_go_on_from_where_it_stood(make_world, undisturbed):
    world = make_world(PLAIN)

    world.run(workers=1, max_lanes=12, saves=3, faults=[Fault(submission=n, epoch=5) for n in range(3)])

    tasks = [task for task in world.pools[0].submitted if isinstance(task, CohortTask)]
    assert [(len(task.lanes), bool(task.checkpoints)) for task in tasks] == [
        (12, False),
        (12, True),
        (12, True),
        (6, True),
        (6, True),
    ]
    assert world.bits() == undisturbed(PLAIN).bits()


@SPECS
@pytest.mark.parametrize("after", [False, True])
def test_whoever_takes_over_goes_on_from_there(make_world, undisturbed, spec, after):
    expected = undisturbed(spec)
    counting = make_world(spec)
    counter = Deadly(counting.storage, None, after=after)
    counting.run(storage=counter, max_lanes=12, workers=1, saves=2)
    went_on = Counter()

    for nth in range(counter.n_writes):
        world = make_world(spec)
        with pytest.raises(Killed):
            world.run(storage=Deadly(world.storage, nth, after=after), max_lanes=12, workers=1, saves=2)
        left = world.storage.get_study("small")
        study = left
        if left.state is not StudyState.COMPLETED:
            study = world.run(max_lanes=12, dead=left.driver, workers=1, saves=2)

        assert study.state is StudyState.COMPLETED, nth
        assert world.bits() == expected.bits(), nth
        went_on += resumed(world)

    assert went_on[True] > 5


def test_what_a_database_keeps_is_enough(make_world, undisturbed, tmp_path):
    world = make_world(PLAIN, url=f"sqlite:///{tmp_path / 'hpo.db'}")
    with pytest.raises(Killed):
        world.run(storage=Killing(world.storage), max_lanes=12, workers=1, saves=4)
    left = world.storage.get_study("small")

    again = open_storage(f"sqlite:///{tmp_path / 'hpo.db'}")  # nothing of it is in this process
    world.storage = again
    world.run(max_lanes=12, dead=left.driver, workers=1)

    assert world.bits() == undisturbed(PLAIN).bits()
    assert resumed(world) == {True: 1, False: 1}


class Killing:
    """A storage whose caller dies after the first checkpoint."""

    def __init__(self, storage):
        self._storage = storage

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def save_checkpoint(self, *args):
        """Keep it, and die."""
        self._storage.save_checkpoint(*args)
        raise Killed
