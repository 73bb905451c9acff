"""Which devices and how much memory this machine has for workers, found without importing torch."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from hpo.errors import PoolError
from hpo.workers.places import SHARE

_DRIVER_GPUS = Path("/proc/driver/nvidia/gpus")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def worker_devices(n_workers: int | None, device: str) -> list[str]:
    """The device of each worker: cpu, or cuda:N with N in the order of CUDA_VISIBLE_DEVICES.

    device: auto (GPUs when torch and the machine have them, else cpu), cpu, cuda or cuda:N
    n_workers: None means one per core, or one per GPU. Raises PoolError.
    """
    if n_workers is not None and n_workers < 1:
        raise PoolError(f"a pool has at least 1 worker, not {n_workers}")
    devices = _devices(device)
    if n_workers is None:
        n_workers = n_cores() if devices == ["cpu"] else len(devices)
    return [devices[place % len(devices)] for place in range(n_workers)]


def _devices(device: str) -> list[str]:
    if device == "cpu":
        return ["cpu"]
    names = [f"cuda:{place}" for place in range(len(visible_gpus(os.environ)))]
    if device == "auto":
        return names if names and torch_has_cuda() else ["cpu"]
    if not names:
        raise PoolError(f"this machine shows no NVIDIA GPU, so there is no {device}; set HPO_DEVICE=cpu")
    if device == "cuda":
        return names
    if device not in names:
        raise PoolError(f"there is no {device}; there is {', '.join(names)}")
    return [device]


def n_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus(environ: Mapping[str, str]) -> list[str]:
    """The NVIDIA GPUs a process with that environment sees, by the names CUDA_VISIBLE_DEVICES takes.

    >>> visible_gpus({"CUDA_VISIBLE_DEVICES": ""})
    []
    """
    chosen = environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None and not chosen.strip():
        return []
    n_gpus = _count_gpus()
    if chosen is None:
        return [str(place) for place in range(n_gpus)]
    names: list[str] = []
    for name in (part.strip() for part in chosen.split(",")):
        if name.lstrip("-").isdigit() and not 0 <= int(name) < n_gpus:
            break  # CUDA, too, ignores an unknown number and all that follow it
        names.append(name)
    return names if n_gpus else []


def _count_gpus() -> int:
    if _DRIVER_GPUS.is_dir():
        return len(list(_DRIVER_GPUS.iterdir()))
    program = shutil.which("nvidia-smi")  # the only witness under WSL
    if program is None:
        return 0
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())


def torch_has_cuda() -> bool:
    """Whether the installed torch is a CUDA build; its version file is read, not imported."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py")
    return version.is_file() and re.search(r"^cuda\b.*=\s*['\"]", version.read_text(), re.M) is not None


def memory_per_worker(n_workers: int) -> int:
    """The bytes of main memory that a cohort of each worker may take."""
    free = psutil.virtual_memory().available
    for file in _CGROUP_LIMITS:
        limit = file.read_text().strip() if file.is_file() else "max"
        if limit.isdigit():
            free = min(free, int(limit))
    return int(SHARE * free) // n_workers
