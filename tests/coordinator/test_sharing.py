"""A pool of many slots and studies costs its owner no more than what happens in it."""

import pytest

from hpo.cohort import CohortTask, ScoreTask
from hpo.coordinator.loop import Coordinator, Job
from hpo.coordinator.sharing import SharedPool
from hpo.storage.open import open_storage
from hpo.testing.served_studies import Gate
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.small_jobs import create, data_of, spec_of


class CountingPool(SimulatedPool):
    """A simulated pool that counts how often its slots are looked at."""

    looks = 0

    def slots(self):
        self.looks += 1
        return super().slots()


@pytest.fixture
def make_shared():
    """A started shared pool; closed at the end."""
    made = []

    def make(pool, **options):
        shared = SharedPool(pool, **options)
        shared.start()
        made.append(shared)
        return shared

    yield make
    for shared in made:
        shared.close()


def test_a_thousand_slots_are_not_looked_at_in_every_turn(make_shared):
    pool = CountingPool(n_slots=1000)
    shared = make_shared(pool, clock=lambda: 0.0)
    share = shared.share("one")

    for _ in range(20):
        share.pids()  # the owner takes a turn

    assert pool.looks == 1
    assert len(share.slots()) == 1000


def test_a_task_that_has_just_begun_is_on_a_slot_before_slots_are_looked_at(make_shared):
    gate = Gate(n_slots=1000)
    shared = make_shared(gate.pool, clock=lambda: 0.0)
    share, other = shared.share("one"), shared.share("other")
    rows = data_of().scaled["standardize"].training.folds[0][1]

    share.submit(ScoreTask(id=7, model=b'{"value": 0.5}', test=rows, metrics=("accuracy",)))
    gate.polled.wait()

    assert [slot.task for slot in share.slots() if slot.task is not None] == [7]
    assert not any(slot.task for slot in other.slots())
    gate.open.set()


def test_a_study_plans_for_its_part_of_the_slots(make_shared):
    shared = make_shared(SimulatedPool(n_slots=12))
    alone = shared.share("first")
    before = alone.fair()

    heavier = shared.share("second", weight=2.0)

    assert (before, alone.fair(), heavier.fair()) == (12, 4, 8)


def test_a_study_plans_for_all_slots_again_when_the_other_is_gone(make_shared):
    shared = make_shared(SimulatedPool(n_slots=12))
    first, second = shared.share("first"), shared.share("second")

    second.close()

    assert first.fair() == 12


def test_cohorts_are_cut_for_the_slots_that_a_study_plans_for():
    spec = spec_of(trials=64)

    def widths(**options):
        storage, pool = open_storage("memory://"), SimulatedPool(n_slots=16)
        create(storage, spec)
        Coordinator(storage, pool, **options).run(Job(name="small", spec=spec, data=data_of()))
        return {len(task.numbers) for task in pool.submitted if isinstance(task, CohortTask)}

    assert (widths(), widths(fair=lambda: 4)) == ({4}, {16})
