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


def trained(pace_, place, n, seconds, *, lanes=8):
    """A worker's run after n epochs."""
    run = Run(TASK, lanes)
    for _ in range(n):
        pace_.epoch(run, place, "cpu", seconds, lanes=lanes)
    return run


def test_slow_is_who_takes_more_than_five_times_what_others_take():
    known = Pace()
    trained(known, THERE, 20, 1.0)

    assert known.times_slower(trained(known, HERE, 20, 4.9), HERE, "cpu") == 0
    assert known.times_slower(trained(known, HERE, 20, 8.0), HERE, "cpu") == 8


def test_who_stops_again_and_again_is_slow_though_most_epochs_are_not():
    known = Pace()
    trained(known, THERE, 20, 0.1)
    run = Run(TASK, 8)
    for n in range(60):
        known.epoch(run, HERE, "cpu", 9.0 if n % 10 == 9 else 0.1, lanes=8)

    assert known.times_slower(run, HERE, "cpu") == pytest.approx(10, rel=0.2)


def test_a_stop_now_and_then_is_not_slow():
    known = Pace()
    trained(known, THERE, 256, 0.1)
    run = trained(known, HERE, 400, 0.1)
    known.epoch(run, HERE, "cpu", 30.0, lanes=8)

    assert run.total_s > 30.0
    assert known.times_slower(run, HERE, "cpu") == 0


def test_nobody_is_slow_beside_others_with_fewer_lanes_or_beside_himself():
    known = Pace()
    trained(known, THERE, 20, 0.1, lanes=4)
    few = known.times_slower(trained(known, HERE, 20, 9.0, lanes=8), HERE, "cpu")
    many = known.times_slower(trained(known, HERE, 20, 9.0, lanes=4), HERE, "cpu")
    same = known.times_slower(trained(known, THERE, 20, 9.0, lanes=8), THERE, "cpu")

    assert (few, same) == (0, 0)
    assert many > 50


def test_an_epoch_that_does_not_end_is_slow_too():
    known = Pace()
    trained(known, THERE, 20, 1.0)
    run = Run(TASK, 8)

    run.now_s = 29.0
    early = known.times_slower(run, HERE, "cpu")
    run.now_s = 31.0

    assert early == 0
    assert known.times_slower(run, HERE, "cpu") == 31


def test_networks_of_several_repeats_are_not_compared_with_single_ones():
    known = Pace()
    trained(known, THERE, 20, 0.1)
    repeated = replace(TASK, lanes=tuple(replace(lane, repeat=n) for lane in TASK.lanes for n in range(20)))
    run = Run(repeated, 8)
    for _ in range(20):
        known.epoch(run, HERE, "cpu", 2.0, lanes=8)

    assert known.times_slower(run, HERE, "cpu") == 0


@given(st.lists(st.floats(0.5, 2.0), min_size=40, max_size=60))
def test_what_is_within_a_factor_of_four_is_never_slow(seconds):
    known = Pace()
    runs = {place: Run(TASK, 8) for place in (HERE, THERE)}
    for n, took in enumerate(seconds):
        place = (HERE, THERE)[n % 2]
        known.epoch(runs[place], place, "cpu", took, lanes=8)

    assert all(known.times_slower(run, place, "cpu") == 0 for place, run in runs.items())
