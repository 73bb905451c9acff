"""Serving coordinators as processes of their own, on real workers: killed, stopped, asked for models."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from hpo.coordinator.jobs import load_job
from hpo.coordinator.loop import Coordinator
from hpo.models import from_bytes
from hpo.states import FINAL, StudyState
from hpo.storage.open import open_storage
from hpo.testing.coordinating import submit, wait_until
from hpo.testing.frozen import freeze_a_worker
from hpo.testing.pool_talk import alive
from hpo.testing.served_studies import bits, file_of
from hpo.workers.local_pool import LocalPool

SERVE = """
import signal, sys, threading
from pathlib import Path
from hpo.coordinator.service import serve
from hpo.storage.open import open_storage
from hpo.workers.local_pool import LocalPool

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
serve(open_storage(sys.argv[1]), LocalPool(n_workers=2, device="cpu", scratch=Path(sys.argv[2])), stop)
assert "torch" not in sys.modules and "ray" not in sys.modules
"""

pytestmark = pytest.mark.timeout(180)


@contextmanager
def coordinator(url, folder):
    with subprocess.Popen([sys.executable, "-c", SERVE, url, str(folder)]) as process:
        try:
            yield process
        finally:
            process.kill()


def alone(url, text, folder):
    """The study's trials when one driver has a pool to itself."""
    storage = open_storage(url)
    study = submit(storage, text)
    pool = LocalPool(n_workers=1, device="cpu", scratch=folder)
    pool.start()
    Coordinator(storage, pool).run(load_job(storage, study))
    pool.close()
    return bits(storage, study.name)


def test_a_study_of_a_coordinator_that_is_killed_goes_on_at_once_under_the_next(tmp_path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    storage, text = open_storage(url), file_of("wine", trials=48, epochs=400)
    with coordinator(url, tmp_path) as first:
        freeze_a_worker(first.pid)
        submit(storage, text)
        wait_until(lambda: storage.get_study("wine").n_finished > 0, "a trial has ended")
        children = psutil.Process(first.pid).children(recursive=True)
        first.kill()
        first.wait()
        left = storage.get_study("wine")
        with coordinator(url, tmp_path) as second:
            began = time.monotonic()
            wait_until(lambda: driver_pid(storage, "wine") == second.pid, "the next one drives it")
            waited = time.monotonic() - began
            wait_until(lambda: storage.get_study("wine").state in FINAL, "it has ended", 120.0)

    assert left.state is StudyState.RUNNING
    assert left.n_finished < 48
    assert children
    assert not alive(children)
    assert waited < 12.0  # less than its lease, and most of that is the start of Python
    assert storage.get_study("wine").state is StudyState.COMPLETED
    assert bits(storage, "wine") == alone("memory://", text, tmp_path)


def driver_pid(storage, name):
    driver = storage.get_study(name).driver
    return None if driver is None else driver.pid


def test_a_coordinator_that_is_stopped_hands_back_in_time_and_leaves_no_process(tmp_path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    storage = open_storage(url)
    for seed, name in enumerate(("a", "b", "c")):
        submit(storage, file_of(name, seed=seed, trials=64, epochs=100_000))

    with coordinator(url, tmp_path) as process:
        wait_until(
            lambda: sum(s["lanes"] > 0 for b in storage.coordinators() for s in b.slots) == 2, "all train"
        )
        wait_until(lambda: all(driver_pid(storage, n) for n in ("a", "b", "c")), "all are driven")
        children = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        took = time.monotonic() - began

    assert code == 0
    assert took < 15.0
    assert not alive(children)
    assert {storage.get_study(name).state for name in ("a", "b", "c")} == {StudyState.QUEUED}
    assert storage.coordinators() == []


def test_a_model_that_somebody_asks_for_is_trained_again_and_kept(tmp_path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    storage = open_storage(url)
    submit(storage, file_of("wine", trials=6, epochs=3))

    with coordinator(url, tmp_path):
        wait_until(lambda: storage.get_study("wine").state in FINAL, "it has ended")
        best = storage.best_trials("wine")[0].number
        other = next(t.number for t in storage.trials("wine") if t.number != best)
        storage.request_model("wine", other)
        wait_until(lambda: storage.model("wine", other) is not None, "the model is there")

    assert from_bytes(storage.model("wine", other).data).number == other
    assert storage.model_requests() == []
