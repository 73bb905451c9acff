"""What a process must set before it trains, so that a lane's bits depend on nothing but the lane."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from hpo.errors import PoolError

MKL_MODE = ("MKL_CBWR", "AVX2")

# Vectorised loops of torch run in blocks of 32 floats and treat the rest of a buffer by other
# code, with other bits for exp and its kin. Buffers are rounded up so that no lane meets the rest.
BLOCK = 32
VECTOR = 16
# Floats between the lanes of a storage are a multiple of this, so that all lanes are aligned alike.
ALIGN = 64


def prepare_process() -> None:
    """Set this process up for training: one thread, denormals flushed. Call it before any tensor work.

    Raises PoolError when MKL_CBWR=AVX2 was not in the environment before torch was imported: without
    it a product's bits depend on where in memory a lane stands.
    """
    name, wanted = MKL_MODE
    if os.environ.get(name) != wanted:
        raise PoolError(f"{name}={wanted} must be in the environment before torch is imported")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = False


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
