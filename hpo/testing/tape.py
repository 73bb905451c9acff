"""A recording of tensor operations on a CPU that behaves as a CUDA graph does: what is not tensor work is not repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

T = TypeVar("T")

# What makes a program wait for a device, or depend on a number that is on it; a CUDA graph cannot hold it.
WAITS = (
    "_local_scalar_dense",
    "nonzero",
    "item",
    "equal",
    "masked_select",
    "unique",
    "is_nonzero",
    "bincount",
)


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A recorder for `hpo.fused.recording.Repeated`. Raises AssertionError for work that waits for the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._steps: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self._fresh = True

    def record(self, work: Callable[[], T]) -> T:
        """Do the work and note it; the next `play` does nothing, since a real graph would not have done it yet."""
        with self:
            return work()

    def play(self) -> None:
        """Do the noted operations again, each into the memory it wrote to when it was noted."""
        if self._fresh:
            self._fresh = False
            return
        for operation, args, kwargs, wrote in self._steps:
            given = {t.untyped_storage().data_ptr() for t in _tensors((args, kwargs))}
            for into, found in zip(_tensors(wrote), _tensors(operation(*args, **kwargs)), strict=True):
                if into.untyped_storage().data_ptr() not in given:  # neither a view nor in place
                    into.copy_(found)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note one operation."""
        name = func.name().split("::")[-1].split(".")[0]
        assert name not in WAITS, f"{func} makes the program wait for the device"
        wrote = func(*args, **(kwargs or {}))
        self._steps.append((func, args, kwargs or {}, wrote))
        return wrote


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
