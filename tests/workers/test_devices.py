"""Workers get the GPUs that the environment shows, or the CPU, without torch being imported."""

import subprocess
import sys

import pytest

from hpo.errors import PoolError
from hpo.workers import devices
from hpo.workers.devices import n_cores, visible_gpus, worker_devices


@pytest.fixture
def four_gpus(tmp_path, monkeypatch):
    """The driver's folder of a machine with four GPUs, and a torch built for them."""
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(devices, "_DRIVER_GPUS", tmp_path)
    monkeypatch.setattr(devices, "torch_has_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (None, ["0", "1", "2", "3"]),
        ("", []),
        ("2,0", ["2", "0"]),
        ("1,-1,2", ["1"]),
        ("0,7,1", ["0"]),
        ("GPU-8932f937", ["GPU-8932f937"]),
    ],
)
def test_visible_gpus_are_cudas(four_gpus, chosen, seen):
    environ = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}

    assert visible_gpus(environ) == seen


@pytest.mark.parametrize(
    ("n_workers", "device", "found"),
    [
        (None, "auto", ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        (2, "auto", ["cuda:0", "cuda:1"]),
        (5, "cuda", ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0"]),
        (2, "cuda:3", ["cuda:3", "cuda:3"]),
        (None, "cpu", ["cpu"] * n_cores()),
    ],
)
def test_workers_are_spread_over_the_gpus(four_gpus, n_workers, device, found):
    assert worker_devices(n_workers, device) == found


def test_a_torch_without_cuda_works_on_the_cpu(four_gpus, monkeypatch):
    monkeypatch.setattr(devices, "torch_has_cuda", lambda: False)

    assert worker_devices(3, "auto") == ["cpu"] * 3


def test_a_gpu_that_is_not_there_is_refused(four_gpus, monkeypatch):
    with pytest.raises(PoolError, match="no cuda:4; there is cuda:0, cuda:1, cuda:2, cuda:3"):
        worker_devices(1, "cuda:4")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(PoolError, match="HPO_DEVICE=cpu"):
        worker_devices(1, "cuda")


def test_a_pool_has_a_worker():
    with pytest.raises(PoolError, match="at least 1 worker, not 0"):
        worker_devices(0, "cpu")


def test_looking_for_devices_imports_no_torch():
    code = "import sys, hpo.workers.local_pool as p, hpo.workers.devices as d; d.torch_has_cuda(); d.worker_devices(None, 'auto'); print('torch' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"
