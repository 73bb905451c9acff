"""What a process must set before it trains, so that a lane's bits depend on nothing but the lane."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from hpo.errors import PoolError
from hpo.settings import EXACT, FAST

log = logging.getLogger(__name__)

MKL_MODE = ("MKL_CBWR", "AVX2")

# Vectorised loops of torch run in blocks of 32 floats and treat the rest of a buffer by other
# code, with other bits for exp and its kin. Buffers are rounded up so that no lane meets the rest.
BLOCK = 32
VECTOR = 16
# What torch calls the kinds of product: on a processor medium is oneDNN's, which rounds off to bfloat16
# where there are instructions for that (AMX); on a GPU high is TF32. Float32 itself is off by 1e-6 at most.
EXACT_PRODUCTS = "highest"
FAST_PRODUCTS = {"cpu": "medium", "cuda": "high"}
MOST_ERROR = 1e-5
# glibc hands freed memory back to the kernel from so many bytes on, and every page that comes anew costs more
# than what is done in it: a tenth of all training time. For single pieces it takes no more than 32 MiB.
MALLOC = {"M_TRIM_THRESHOLD": (-1, 2**28), "M_MMAP_THRESHOLD": (-3, 2**25)}
# Floats between the lanes of a storage are a multiple of this, so that all lanes are aligned alike.
ALIGN = 64


def prepare_process() -> None:
    """Set this process up for training: one thread, denormals flushed, freed memory kept. Call it before any tensor work.

    Raises PoolError when MKL_CBWR=AVX2 was not in the environment before torch was imported: without
    it a product's bits depend on where in memory a lane stands.
    """
    name, wanted = MKL_MODE
    if os.environ.get(name) != wanted:
        raise PoolError(f"{name}={wanted} must be in the environment before torch is imported")
    _keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision(EXACT_PRODUCTS)
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = False


def _keep_freed_memory() -> None:
    """Where the C library is glibc: do not give every large temporary back to the kernel."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for parameter, value in MALLOC.values():
            libc.mallopt(parameter, value)


@contextmanager
def products(precision: str, device: str = "cpu") -> Iterator[str]:
    """Make products in this precision meanwhile; gives the one in force, and restores `exact` at the end.

    exact: a lane's bits depend on nothing but the lane
    fast: in whichever order is quickest, which may depend on the lanes beside it; with TF32 on a GPU. A
    processor on which that would be off by more than MOST_ERROR goes on with `exact`, and the log says so.
    """
    kind = torch.device(device).type
    try:
        if precision == FAST:
            torch.set_float32_matmul_precision(FAST_PRODUCTS[kind])
        if precision == FAST and kind == "cpu" and (error := _product_error()) > MOST_ERROR:
            log.warning("fast products are off by %.0e here, as in bfloat16: going on with exact ones", error)
            torch.set_float32_matmul_precision(EXACT_PRODUCTS)
            precision = EXACT
        yield precision
    finally:
        torch.set_float32_matmul_precision(EXACT_PRODUCTS)


def _product_error() -> float:
    """How far a batch of products is off, of its norm, as this processor makes them now."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(2, 128, 512, generator=generator)
    b = torch.randn(2, 512, 128, generator=generator)
    true = a.double() @ b.double()
    return float((torch.bmm(a, b) - true).norm() / true.norm())


def round_up(n: int, to: int) -> int:
    """The smallest multiple of `to` that is at least n.

    >>> round_up(33, 32), round_up(64, 32)
    (64, 64)
    """
    return -(-n // to) * to


class Memory:
    """Flat buffers by name, kept while lanes come and go: fresh memory costs more than what is done in it."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self._held: dict[str, Tensor] = {}

    def flat(self, name: str, n: int) -> Tensor:
        """A buffer of n numbers that may be overrun by one block; what it holds is of no meaning."""
        size = round_up(n, BLOCK) + BLOCK
        held = self._held.get(name)
        if held is None or len(held) < size:
            held = torch.zeros(size, device=self.device, dtype=self.dtype)
            self._held[name] = held
        return held


def column(values: list[float], device: torch.device, dtype: torch.dtype) -> Tensor:
    """One number per lane as [K, 1], cast once from Python's doubles."""
    return torch.tensor(values, dtype=torch.float64).to(device=device, dtype=dtype).unsqueeze(1)


def release_memory(device: str) -> None:
    """Give back what a cohort before this one left in torch's cache, whose pieces may fit the next one badly."""
    if device != "cpu":
        gc.collect()  # a cohort that failed may hang in cycles of its traceback
        torch.cuda.empty_cache()


def kind_of(device: str) -> str:
    """What a device calls itself: cpu, or the name of the GPU. Call `free_memory` before."""
    return device if device == "cpu" else str(torch.cuda.get_device_name(torch.device(device)))


def free_memory(device: str) -> int:
    """The bytes that are free on a GPU, which this wakes up; 0 for cpu, whose memory others can tell.

    Raises PoolError when torch cannot use the device.
    """
    if device == "cpu":
        return 0
    try:
        free, _ = torch.cuda.mem_get_info(torch.device(device))
    except (AssertionError, RuntimeError, ValueError) as error:  # AssertionError: torch without CUDA
        reason = str(error).strip().split("\n")[0]
        raise PoolError(f"torch cannot use {device} here ({reason}); set HPO_DEVICE=cpu") from error
    return free
