"""Work that is done again and again on the same memory: on a GPU recorded once as a CUDA graph, then played.

An epoch of small networks is thousands of kernels of a few microseconds each; launched one by one from
Python they would leave the GPU idle most of the time. A graph of them starts in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

import torch

T = TypeVar("T")


class Recorder(Protocol):
    """One recording."""

    def record(self, work: Callable[[], T]) -> T:
        """Note every tensor operation of the work, without doing any; what it returns is filled by `play`."""

    def play(self) -> None:
        """Do what was noted, on the same memory."""


class CudaGraph:
    """A recording that the GPU plays by itself."""

    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()

    def record(self, work: Callable[[], T]) -> T:
        """Capture the work. Raises RuntimeError when it waits for the GPU or asks it for a number."""
        # Threads that send heartbeats may go on meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            return work()

    def play(self) -> None:
        """Launch the graph."""
        self._graph.replay()


class Repeated:
    """Does work by its key: the first time as it is, the second time recorded, from then on played.

    The first time libraries choose their kernels and buffers find their size, which must not be recorded.
    Work must read and write memory that stays where it is, and give back tensors (or objects of them) that
    it makes anew; what it gives back is overwritten when the same key is played again.

    recorder: makes a recording; None to do everything as it is, as on a CPU
    """

    def __init__(self, recorder: Callable[[], Recorder] | None) -> None:
        self._recorder = recorder
        self._done: set[Hashable] = set()
        self._recorded: dict[Hashable, tuple[Recorder, Any]] = {}

    def __call__(self, key: Hashable, work: Callable[[], T]) -> T:
        """Do the work of that key; the result is what the work returned when it was recorded."""
        if self._recorder is None:
            return work()
        if key not in self._done:
            self._done.add(key)
            return work()
        if key not in self._recorded:
            recording = self._recorder()
            self._recorded[key] = recording, recording.record(work)
        recording, result = self._recorded[key]
        recording.play()
        return result  # type: ignore[no-any-return]


def recorder_of(device: torch.device) -> Callable[[], Recorder] | None:
    """How work on a device is recorded: not at all on a CPU."""
    return CudaGraph if device.type == "cuda" else None
