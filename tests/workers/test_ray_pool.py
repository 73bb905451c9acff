"""The pool of Ray actors keeps the contract, its token private and its mouth shut, and leaves nothing behind."""

import stat
import subprocess
import sys

import psutil
import pytest
import ray

from hpo.errors import PoolError
from hpo.testing.pool import WorkerPoolContract
from hpo.testing.pool_talk import FOREVER, KEY, alive, collect, first_epoch, make_data, make_task
from hpo.workers.ray_pool import RayPool
from hpo.workers.ray_token import token_file

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]

OWNER = """
import logging, os, psutil, signal, sys
from pathlib import Path
from hpo.testing.pool_talk import FOREVER, KEY, collect, first_epoch, make_data, make_task
from hpo.workers.ray_pool import RayPool

logging.basicConfig(level=logging.CRITICAL)

def on_sigterm(number, frame): ...
signal.signal(signal.SIGTERM, on_sigterm)
pool = RayPool(n_workers=1, address=None, device="cpu", home=Path(sys.argv[1]))
pool.start()
assert signal.getsignal(signal.SIGTERM) is on_sigterm
pool.put_data(KEY, make_data())
pool.submit(make_task([0], epochs=FOREVER))
first_epoch(pool)
os.kill(pool.pids()[0], signal.SIGKILL)
print(collect(pool)[-1].reason, flush=True)
pool.submit(make_task([0], epochs=FOREVER))
first_epoch(pool)
assert "torch" not in sys.modules
print(*(process.pid for process in psutil.Process().children(recursive=True)), flush=True)
while True:
    pool.poll(10.0)
"""

# As in a server, where the pool has a thread of its own.
SERVER = """
import os, signal, sys, threading
from pathlib import Path
from hpo.testing.pool_talk import FOREVER, KEY, first_epoch, make_data, make_task
from hpo.workers.ray_pool import RayPool

told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())

def own():
    pool = RayPool(n_workers=1, address=None, device="cpu", home=Path(sys.argv[1]))
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], epochs=FOREVER))
    first_epoch(pool)
    os.kill(os.getpid(), signal.SIGTERM)
    print(told.wait(10))
    pool.close()

owner = threading.Thread(target=own)
owner.start()
while owner.is_alive():
    owner.join(0.1)  # so that Python comes to the signal
"""


class TestRayPool(WorkerPoolContract):
    @classmethod
    def make(cls, folder, n_workers):
        return RayPool(n_workers=n_workers, address=None, device="cpu", home=folder)


def test_a_ray_that_breaks_off_while_it_is_asked_is_one_sentence(tmp_path, monkeypatch):
    def broken(*words, **more):
        raise OSError("Broken pipe")

    pool = RayPool(n_workers=1, address=None, device="cpu", home=tmp_path)
    pool.start()
    with monkeypatch.context() as patch:
        patch.setattr(ray, "wait", broken)
        with pytest.raises(PoolError, match="of this machine has died: Broken pipe"):
            pool.poll(0.1)
    pool.close()


def test_ray_is_quiet_leaves_sigterm_alone_and_dies_with_its_driver(tmp_path):
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as owner:
        first = owner.stdout.readline()
        processes = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]

        owner.kill()

        gone, alive = psutil.wait_procs(processes, timeout=15)
        assert (owner.stdout.read(), owner.stderr.read()) == ("", "")
    assert first == "lost\n"
    assert len(gone) > 3  # the store, the raylet, an actor and more
    assert not alive


def test_a_sigterm_goes_to_whoever_had_it_and_is_not_written_about(tmp_path):
    command = [sys.executable, "-c", SERVER, str(tmp_path)]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_ray_that_dies_is_one_sentence_and_leaves_nothing(tmp_path, name):
    pool = RayPool(n_workers=1, address=None, device="cpu", home=tmp_path)
    pool.start()
    pool.put_data(KEY, make_data())
    pool.submit(make_task([0], epochs=FOREVER))
    first_epoch(pool)
    started = psutil.Process().children(recursive=True)

    next(process for process in started if process.name() == name).kill()
    with pytest.raises(PoolError, match=f"Ray's own process {name} .* has died"):
        collect(pool)
    pool.close()

    assert not alive(started)


def test_the_token_is_private_and_stays_the_same(tmp_path):
    home = tmp_path / "new"

    first = token_file(home)
    token = first.read_text()
    first.chmod(0o644)
    again = token_file(home)

    assert len(token) == 64
    assert again.read_text() == token
    assert stat.S_IMODE(again.stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["ray_token"]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [("127.0.0.1:1", "no Ray answers at 127.0.0.1:1: Connection refused"), ("ray://head:10001", "host:6379")],
)
def test_a_cluster_that_cannot_be_joined_is_one_sentence(tmp_path, address, sentence):
    pool = RayPool(n_workers=1, address=address, device="cpu", home=tmp_path)

    with pytest.raises(PoolError, match=sentence):
        pool.start()


@pytest.mark.parametrize(("n_workers", "device"), [(0, "cpu"), (1, "cuda:1")])
def test_what_ray_cannot_do_is_refused_before_it_starts(tmp_path, n_workers, device):
    pool = RayPool(n_workers=n_workers, address=None, device=device, home=tmp_path)

    with pytest.raises(PoolError):
        pool.start()

    assert list(tmp_path.iterdir()) == []
