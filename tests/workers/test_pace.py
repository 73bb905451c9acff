"""A worker that is much slower than the others at the same is found and replaced; nobody else is."""

import os
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.cohort import CohortFailed, EpochResult
from hpo.testing.pool_talk import FOREVER, KEY, collect, heard_of, make_data, make_task
from hpo.testing.server_program import until
from hpo.workers import crew, pace
from hpo.workers.local_pool import LocalPool
from hpo.workers.pace import Pace, Run
from hpo.workers.places import Place

HERE, THERE = (Place(device="cpu", rank=rank, memory_bytes=0) for rank in (0, 1))
TASK = make_task(range(8))


@contextmanager
def slowed(pid):
    """A process that runs for a twentieth of the time."""
    ended = threading.Event()

    def hold():
        with suppress(ProcessLookupError):  # it has been replaced
            while not ended.wait(0.01):
                os.kill(pid, signal.SIGSTOP)
                ended.wait(0.19)
                os.kill(pid, signal.SIGCONT)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        yield
    finally:
        ended.set()
        holder.join()


def test_a_slow_worker_loses_its_cohort_and_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "PATIENCE_S", 3.0)
    monkeypatch.setattr(crew, "COMPARE_S", 0.5)
    pool = LocalPool(n_workers=2, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task(range(8), id=1, epochs=FOREVER))
    pool.submit(make_task(range(8), id=2, epochs=FOREVER))
    heard_of(pool, {1, 2})
    before = dict(zip((slot.task for slot in pool.slots()), pool.pids(), strict=True))
    try:
        with slowed(before[1]):
            lost = [report for report in collect(pool) if not isinstance(report, EpochResult)]

        assert [(r.cohort, r.reason) for r in lost if isinstance(r, CohortFailed)] == [(1, "lost")]
        assert f"process {before[1]} trained" in lost[0].detail
        assert "times slower than others" in lost[0].detail
        assert until(lambda: pool.poll(0.05) is not None and len(pool.pids()) == 2)
        assert before[2] in pool.pids()
        assert before[1] not in pool.pids()
    finally:
        pool.close()


def trained(pace_, place, n, seconds, *, lanes=8, run=None):
    """A worker's run after n epochs."""
    run = run or Run(TASK, lanes)
    for _ in range(n):
        pace_.epoch(run, place, "cpu", seconds, lanes=lanes)
    return run


def slower(pace_, n, seconds, *, place=HERE, lanes=8):
    """How many times slower a worker is found to be that trains n epochs, and n more."""
    run = trained(pace_, place, n, seconds, lanes=lanes)
    first = pace_.times_slower(run, place, "cpu")
    trained(pace_, place, n, seconds, lanes=lanes, run=run)
    return first, pace_.times_slower(run, place, "cpu")


def test_slow_is_who_takes_more_than_five_times_what_others_take_again_and_again():
    known = Pace()
    trained(known, THERE, 20, 1.0)

    assert slower(known, 7, 4.9) == (0, 0)
    assert slower(known, 4, 8.0) == (0, 8)


def test_who_stops_again_and_again_is_slow_though_most_epochs_are_not():
    known = Pace()
    trained(known, THERE, 20, 0.1)
    run, found = Run(TASK, 8), []
    for n in range(100):
        known.epoch(run, HERE, "cpu", 9.0 if n % 10 == 9 else 0.1, lanes=8)
        found.append(known.times_slower(run, HERE, "cpu"))

    assert max(found) == pytest.approx(10, rel=0.5)


@pytest.mark.parametrize("before", [5, 70, 400])
def test_who_stops_once_is_not_slow(before):
    known = Pace()
    trained(known, THERE, 256, 0.1)
    run = trained(known, HERE, before, 0.1)
    found = []
    for seconds in [31.0] + 600 * [0.1]:
        known.epoch(run, HERE, "cpu", seconds, lanes=8)
        found.append(known.times_slower(run, HERE, "cpu"))

    assert set(found) == {0}


@pytest.mark.parametrize(("n_workers", "epoch_s", "times"), [(8, 0.05, 8), (16, 0.05, 10), (2, 0.02, 10)])
def test_when_a_machine_was_slow_for_a_while_nobody_on_it_is(n_workers, epoch_s, times):
    known = Pace()
    runs = {Place(device="cpu", rank=rank, memory_bytes=0): Run(TASK, 8) for rank in range(n_workers)}
    now_s, found = 0.0, set()
    while now_s < 150.0:
        seconds = epoch_s * (times if 30.0 < now_s < 90.0 else 1)
        now_s += seconds
        for place, run in runs.items():
            known.epoch(run, place, "cpu", seconds, lanes=8)
        found |= {known.times_slower(run, place, "cpu") for place, run in runs.items()}

    assert found == {0}


def test_nobody_is_slow_beside_others_with_fewer_lanes_or_beside_himself():
    known = Pace()
    trained(known, THERE, 20, 0.1, lanes=4)

    assert slower(known, 5, 9.0) == (0, 0)
    assert slower(known, 5, 9.0, lanes=4)[1] > 50
    assert slower(known, 5, 9.0, place=THERE, lanes=4) == (0, 0)


def test_an_epoch_that_does_not_end_is_slow_too():
    known = Pace()
    trained(known, THERE, 20, 1.0)
    run, found = Run(TASK, 8), []
    for run.now_s in (29.0, 31.0, 29.0, 31.0):
        found.append(known.times_slower(run, HERE, "cpu"))

    assert found == [0, 0, 0, 31]


def test_networks_of_several_repeats_are_not_compared_with_single_ones():
    known = Pace()
    trained(known, THERE, 20, 0.1)
    repeated = replace(TASK, lanes=tuple(replace(lane, repeat=n) for lane in TASK.lanes for n in range(20)))
    run = Run(repeated, 8)
    found = []
    for _ in range(60):
        known.epoch(run, HERE, "cpu", 2.0, lanes=8)
        found.append(known.times_slower(run, HERE, "cpu"))

    assert set(found) == {0}


@given(st.lists(st.floats(0.5, 2.0), min_size=40, max_size=60))
def test_what_is_within_a_factor_of_four_is_never_slow(seconds):
    known = Pace()
    runs = {place: Run(TASK, 8) for place in (HERE, THERE)}
    for n, took in enumerate(seconds):
        place = (HERE, THERE)[n % 2]
        known.epoch(runs[place], place, "cpu", took, lanes=8)

    assert all(known.times_slower(run, place, "cpu") == 0 for place, run in runs.items())
