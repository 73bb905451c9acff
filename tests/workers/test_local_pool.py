"""The pool of child processes keeps the contract, and its own promises about data, death and orphans."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from hpo import lines
from hpo.cohort import CohortDone, CohortFailed
from hpo.errors import PoolError
from hpo.fused.trainer import Trainer
from hpo.testing.pool import WorkerPoolContract
from hpo.testing.pool_talk import FOREVER, KEY, collect, first_epoch, make_data, make_task
from hpo.testing.server_program import until
from hpo.workers import crew, hiring
from hpo.workers.local_pool import LocalPool
from hpo.workers.scratch import Scratch

START = """
import sys
import psutil
from pathlib import Path
from hpo.testing.pool_talk import FOREVER, KEY, first_epoch, make_data, make_task
from hpo.workers.local_pool import LocalPool

pool = LocalPool(n_workers=2, device="cpu", scratch=Path(sys.argv[1]))
pool.start()
pool.put_data(KEY, make_data())
print(*(child.pid for child in psutil.Process().children()), flush=True)
"""
TRAIN = """
pool.submit(make_task([0], id=1, epochs=FOREVER))
while len(pool.pids()) < 2:
    pool.poll(0.1)
print(*(child.pid for child in psutil.Process().children()), flush=True)
first_epoch(pool)
assert "torch" not in sys.modules
print("training", flush=True)
first_epoch(pool), first_epoch(pool)
print("two epochs later", flush=True)
while True:
    pool.poll(10.0)
"""
OWNER = START + TRAIN


class TestLocalPool(WorkerPoolContract):
    @classmethod
    def make(cls, folder, n_workers):
        return LocalPool(n_workers=n_workers, device="cpu", scratch=folder)


def test_workers_leave_ctrl_c_to_their_pool_but_die_with_it(tmp_path):
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        owner.stdout.readline()
        nursery, *workers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
        training = owner.stdout.readline()

        for process in (nursery, *workers):
            process.send_signal(signal.SIGINT)
        still_there = owner.stdout.readline()  # two more epochs have been trained
        workers[
            0
        ].suspend()  # neither does it hear that the pool hangs up, nor is there whom it was forked from
        nursery.kill()
        owner.kill()

        gone, alive = psutil.wait_procs([nursery, *workers], timeout=30)
    assert training == "training\n"
    assert still_there == "two epochs later\n"
    assert len(gone) == 3
    assert not alive


def test_the_folder_of_a_dead_pool_goes_with_the_next(tmp_path):
    begin_and_die = START + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", begin_and_die, str(tmp_path)])
    (stale,) = [path for path in tmp_path.iterdir() if path.is_dir()]

    with_next = Scratch(tmp_path)

    assert not stale.exists()
    assert with_next.folder.is_dir()
    assert Scratch(tmp_path).folder != with_next.folder
    assert with_next.folder.is_dir()  # its owner lives


def test_a_pool_that_is_not_closed_ends_with_its_process(tmp_path):
    command = [sys.executable, "-c", START, str(tmp_path)]
    environment = os.environ | {"HPO_TEST_MARK": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split()
    assert [pid for pid in psutil.pids() if marked(pid, str(tmp_path))] == []
    assert list(tmp_path.iterdir()) == []


def marked(pid, mark):
    try:
        return psutil.Process(pid).environ().get("HPO_TEST_MARK") == mark
    except psutil.Error:
        return False


def test_where_processes_have_no_adopted_children_each_worker_begins_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], epochs=FOREVER))
    first_epoch(pool)
    workers = pool.pids()

    os.kill(workers[0], signal.SIGKILL)
    lost = collect(pool)[-1]

    assert [child.pid for child in psutil.Process().children() if child.pid in workers] == []
    assert lost.detail.startswith(f"worker process {workers[0]} was killed by SIGKILL")
    pool.close()
    assert not psutil.Process().children()


def test_data_is_private_to_the_user_and_gone_after_close(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    mode = stat.S_IMODE(folder.stat().st_mode)

    pool.close()

    assert mode == 0o700
    assert list(tmp_path.iterdir()) == []


def test_data_for_which_there_was_no_room_are_taken_once_there_is(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as if the disk were full from there on
        with pytest.raises(PoolError, match="could not be written"):
            pool.put_data(KEY, make_data())
        half = list(tmp_path.rglob("*.npy"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], epochs=1))

    assert half == []
    assert isinstance(collect(pool)[-1], CohortDone)
    pool.close()


class Unreadable:
    """What cannot be read where it arrives, as when a task is too large for the memory there."""

    def __reduce__(self):
        return __import__, ("no_such_module",)


def test_a_worker_that_cannot_read_its_task_ends_and_the_next_one_works(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())

    pool.submit(replace(make_task([0]), checkpoints=(Unreadable(),)))
    lost = collect(pool)[-1]
    pool.submit(make_task([0], epochs=1))

    assert (lost.reason, isinstance(collect(pool)[-1], CohortDone)) == ("lost", True)
    pool.close()


def test_dropped_data_leave_the_disk_and_the_memory_of_the_workers(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data(n=20_000))
    pool.submit(make_task([0], epochs=1))
    collect(pool)
    worker = psutil.Process(pool.pids()[0])
    before = mapped_below(worker, tmp_path)

    pool.drop_data(KEY)
    pool.submit(make_task([0], epochs=1))  # an order that the worker heeds after the other
    collect(pool)

    assert before
    assert mapped_below(worker, tmp_path) == []
    assert list(tmp_path.rglob("*.npy")) == []
    pool.close()


def mapped_below(process, folder):
    """The files below a folder that a process has mapped, deleted ones included."""
    return [m.path for m in process.memory_maps(grouped=False) if m.path.startswith(str(folder))]


def test_a_cohort_cancelled_before_its_worker_is_ready_never_begins(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.submit(make_task([0], id=3))

    pool.cancel(3)

    assert [(r.cohort, r.reason) for r in pool.poll(0)] == [(3, "cancelled")]
    assert [slot.task for slot in pool.slots()] == [None]
    pool.close()


def test_a_worker_that_does_not_hear_a_cancellation_is_killed_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "CANCEL_GRACE_S", 0.1)
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], id=3, epochs=FOREVER))
    first_epoch(pool)
    os.kill(pool.pids()[0], signal.SIGSTOP)

    pool.cancel(3)
    last = collect(pool)[-1]
    pool.submit(make_task([0], id=4))

    assert isinstance(last, CohortFailed)
    assert last.reason == "cancelled"
    assert isinstance(collect(pool)[-1], CohortDone)
    pool.close()


def test_a_worker_that_has_heeded_a_cancellation_lives_however_late_its_pool_listens(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "CANCEL_GRACE_S", 0.1)
    monkeypatch.setattr(crew, "BEAT_S", 0.05)
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], id=3, epochs=FOREVER))
    first_epoch(pool)
    before = pool.pids()

    pool.cancel(3)
    cancelled_at = time.monotonic()
    until(lambda: time.monotonic() > cancelled_at + 1)
    last = collect(pool)[-1]
    pool.submit(make_task([0], id=4))
    next_ = collect(pool)[-1]

    assert (last.cohort, last.reason) == (3, "cancelled")
    assert (next_.cohort, pool.pids()) == (4, before)
    pool.close()


def test_a_worker_that_dies_before_it_is_ready_passes_its_task_to_the_next(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0]))

    (nursery,) = psutil.Process().children()
    nursery.kill()

    assert isinstance(collect(pool)[-1], CohortDone)
    pool.close()


def test_workers_that_cannot_start_end_the_pool_with_their_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(hiring, "NURSERY", "hpo.workers.no_such_module")
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()

    with pytest.raises(
        PoolError, match=r"5 workers in a row died.*No module named hpo.workers.no_such_module"
    ):
        pool.poll(60)

    pool.close()


def test_a_machine_that_gives_no_more_processes_ends_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(hiring, "NURSERY", "tests.workers.barren")
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()

    with pytest.raises(
        PoolError, match=r"^a worker process could not be started: Resource temporarily unavailable"
    ):
        pool.poll(60)

    pool.close()


def test_a_cohort_goes_on_from_a_checkpoint_in_another_process(tmp_path):
    class Stop(Exception):
        pass

    def stop_after_two(result):
        if result.epoch == 2:
            raise Stop

    trainer = Trainer(make_task([0, 1], epochs=4), make_data())
    with pytest.raises(Stop):
        trainer.run(stop_after_two)
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())

    pool.submit(replace(make_task([0, 1], epochs=4), checkpoints=(trainer.checkpoint(),)))

    assert [report.epoch for report in collect(pool)[:-1]] == [3, 4]
    pool.close()


def test_a_pool_without_a_place_for_data_says_so(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(PoolError, match="no folder for training data"):
        LocalPool(n_workers=1, device="cpu", scratch=tmp_path / "file" / "below").start()


def test_a_worker_that_is_stopped_before_it_gets_a_large_task_stops_nobody(tmp_path, monkeypatch):
    """More than its socket takes: where it goes on from is in the task."""
    monkeypatch.setattr(lines, "HEARING_S", 1)
    pool = LocalPool(n_workers=2, device="cpu", scratch=tmp_path)
    pool.start()
    try:
        pool.put_data(KEY, make_data())
        until(lambda: pool.poll(0.05) == [] and len(pool.pids()) == 2)
        stopped = psutil.Process(pool.pids()[0])
        stopped.suspend()

        pool.submit(replace(make_task([0], id=1), checkpoints=(bytes(4 << 20),)))
        last = collect(pool)[-1]

        assert (last.cohort, last.reason) == (1, "lost")
        assert psutil.wait_procs([stopped], timeout=10)[0] == [stopped]
        assert not [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]
        until(lambda: pool.poll(0.05) == [] and len(pool.pids()) == 2)
    finally:
        pool.close()


def test_a_cohort_that_is_called_in_before_a_worker_is_ready_ends_after_its_first_epoch(tmp_path):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    pool.start()
    try:
        pool.put_data(KEY, make_data())
        pool.submit(make_task([0, 1], id=1, epochs=FOREVER))
        waits = pool.pids() == []

        pool.keep(1, ())
        *epochs, last = collect(pool)

        assert waits
        assert isinstance(last, CohortDone)
        ended = [trial for report in epochs for trial in report.ended]
        assert [(trial.number, trial.reason) for trial in ended] == [(0, "pruned@1"), (1, "pruned@1")]
    finally:
        pool.close()
