"""Workers are forked from a nursery, whatever becomes of it."""

import os
import signal

import psutil
import pytest

from hpo.cohort import CohortDone
from hpo.testing.pool_talk import FOREVER, KEY, collect, first_epoch, make_data, make_task
from hpo.workers import crew
from hpo.workers.local_pool import LocalPool


@pytest.fixture
def one(tmp_path):
    """A pool of one worker that trains for ever."""
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], epochs=FOREVER))
    first_epoch(pool)
    yield pool
    pool.close()


def nursery_of(pool):
    """The child of this process that is no worker, for these are the pool's own children too."""
    (found,) = [child for child in psutil.Process().children() if child.pid not in pool.pids()]
    return found


def test_a_killed_worker_is_replaced_by_a_fork_and_its_cohort_learns_who_killed_it(one):
    nursery, killed = nursery_of(one), one.pids()

    os.kill(killed[0], signal.SIGABRT)
    lost = collect(one)[-1]
    one.submit(make_task([0], epochs=FOREVER))
    first_epoch(one)

    assert lost.detail == f"worker process {killed[0]} was killed by SIGABRT"
    assert nursery_of(one) == nursery
    assert (nursery.name(), nursery.num_threads()) == ("hpo-nursery", 1)
    (replaced,) = [psutil.Process(pid) for pid in one.pids()]
    assert replaced.pid not in killed
    assert replaced.name() == "hpo-worker"
    assert replaced.cmdline() == nursery.cmdline()  # a process that begins by itself has its own


def test_a_killed_nursery_costs_no_cohort_and_a_worker_killed_after_it_is_replaced(one):
    before, nursery = one.pids(), nursery_of(one)

    nursery.kill()
    nursery.wait()
    went_on = [first_epoch(one).epoch for _ in range(3)]
    os.kill(before[0], signal.SIGKILL)
    lost = collect(one)[-1]
    one.submit(make_task([0]))
    done = collect(one)[-1]

    assert went_on == sorted(set(went_on))
    assert (lost.reason, str(before[0]) in lost.detail) == ("lost", True)
    assert isinstance(done, CohortDone)
    assert nursery_of(one) != nursery


@pytest.mark.timeout(180)  # the pool waits ten times as long as its first worker took to start
def test_a_stopped_nursery_is_replaced_when_a_worker_is_wanted(one, monkeypatch):
    monkeypatch.setattr(crew, "SILENCE_S", 2.5)
    first_epoch(one)
    nursery, before = nursery_of(one), one.pids()

    nursery.suspend()
    os.kill(before[0], signal.SIGKILL)
    lost = collect(one)[-1]
    one.submit(make_task([0]))
    done = collect(one)[-1]

    assert (lost.reason, isinstance(done, CohortDone)) == ("lost", True)
    assert nursery_of(one) != nursery
