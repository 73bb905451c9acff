"""How wide a cohort may be, learned of each kind of device from those that have trained: until it is full, or its memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hpo.training import SharedSettings

CPU, GPU = "cpu", "gpu"  # the kind of every core; of a GPU that has not said what it is
FIRST_LANES_GPU = 512
MOST_LANES_GPU = 4096
# Twice the lanes must train at least so much faster, all together, for the next cohort to be twice as wide again.
STILL_PAYS = 1.15
# A cohort of fewer lanes than this share of the limit says nothing about the limit.
FULL = 0.75


@dataclass(slots=True)
class _Learned:
    """limit: of the next cohort; ceiling: what memory has refused, halved; best: (steps a second, lanes)."""

    limit: int
    ceiling: int = MOST_LANES_GPU
    best: tuple[float, int] = (0.0, 0)


@dataclass(slots=True)
class Saturation:
    """The widest cohort that pays, for each kind of network of a study.

    A GPU begins with 512 lanes and doubles them while the lanes' steps a second grow by 15 % or more; a
    CPU has no limit here, its caches are known beforehand. What ran out of memory is not tried again.

    >>> gpu, net = Saturation(gpu=True), SharedSettings(hidden=(64,), loss="mse", batch_size=64, scaling="none")
    >>> gpu.lanes(net)
    512
    >>> gpu.trained(net, lanes=512, lane_steps=1000, seconds=1.0)
    >>> gpu.lanes(net)
    1024
    >>> gpu.trained(net, lanes=1024, lane_steps=1100, seconds=1.0)  # hardly faster: the GPU is full
    >>> gpu.lanes(net)
    512
    """

    gpu: bool
    _learned: dict[SharedSettings, _Learned] = field(default_factory=dict)

    def lanes(self, shared: SharedSettings) -> int:
        """The most lanes that a cohort of these settings should have, at least 1."""
        learned = self._of(shared)
        return max(1, min(learned.limit, learned.ceiling))

    def trained(self, shared: SharedSettings, *, lanes: int, lane_steps: int, seconds: float) -> None:
        """A cohort has trained to its end: lanes times steps, and how long it took."""
        learned = self._of(shared)
        if not self.gpu or seconds <= 0 or lanes < FULL * learned.limit:
            return
        rate, (best, lanes_of_best) = lane_steps / seconds, learned.best
        if rate >= STILL_PAYS * best:
            learned.best = rate, learned.limit
            learned.limit = min(2 * learned.limit, MOST_LANES_GPU)
        elif learned.limit > lanes_of_best:
            learned.limit = lanes_of_best

    def refused(self, shared: SharedSettings, *, lanes: int) -> None:
        """So many lanes ran out of memory."""
        learned = self._of(shared)
        learned.ceiling = max(1, min(learned.ceiling, lanes // 2))

    def _of(self, shared: SharedSettings) -> _Learned:
        return self._learned.setdefault(
            shared, _Learned(limit=FIRST_LANES_GPU if self.gpu else MOST_LANES_GPU)
        )


class Widths:
    """Saturation, kind by kind. A cohort is planned before anyone knows who trains it: so all kinds must stand it.

    >>> widths, net = Widths(), SharedSettings(hidden=(64,), loss="mse", batch_size=64, scaling="none")
    >>> widths.refused([], net, lanes=1000, there=["T4", "H100"])
    >>> widths.refused(["T4"], net, lanes=300, there=["T4", "H100"])
    >>> widths.lanes(net, ["T4", "H100"]), widths.lanes(net, ["H100"])
    (150, 500)
    """

    def __init__(self) -> None:
        self._kinds: dict[str, Saturation] = {}

    def of(self, kind: str) -> Saturation:
        """What is known of a kind of device."""
        return self._kinds.setdefault(kind, Saturation(gpu=kind != CPU))

    def lanes(self, shared: SharedSettings, there: Iterable[str]) -> int:
        """The most lanes that a cohort of these settings should have where there are devices of these kinds."""
        return min(self.of(kind).lanes(shared) for kind in there)

    def refused(
        self, kinds: Iterable[str], shared: SharedSettings, *, lanes: int, there: Iterable[str]
    ) -> None:
        """So many lanes ran out of memory on one of these kinds; none: nobody knows on which, then all are careful."""
        for kind in list(kinds) or there:
            self.of(kind).refused(shared, lanes=lanes)
