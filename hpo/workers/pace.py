"""How long epochs take, so that a worker is found that is much slower than the others at the same."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import median

from hpo.cohort import CohortTask
from hpo.training import SharedSettings
from hpo.workers.places import Place

SLOWER = (
    5.0  # times, than the others; lanes of one network differ by their optimizers, hardly more than twofold
)
PATIENCE_S = 30.0  # of training, before anything is said of it
FEWEST = 8  # epochs of others
KEPT = 256

Kind = tuple[str, SharedSettings, str]  # data, network, device


@dataclass(slots=True)
class Run:
    """A worker's task so far.

    lanes: that train now; now_s: since the last epoch; epochs: lanes and seconds of the last ones; total_s: of all
    """

    task: CohortTask
    lanes: int
    now_s: float = 0.0
    total_s: float = 0.0
    epochs: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def epoch(self, seconds: float, *, lanes: int) -> None:
        """An epoch is over. lanes: that train on"""
        self.epochs.append((self.lanes, seconds))
        self.total_s += seconds
        self.lanes, self.now_s = lanes, 0.0


class Pace:
    """What epochs have taken lately everywhere.

    More lanes never train in less time, so a worker is compared with others that had as many or more.
    """

    def __init__(self) -> None:
        self._known: defaultdict[Kind, deque[tuple[Place, int, float]]] = defaultdict(
            lambda: deque(maxlen=KEPT)
        )

    def epoch(self, run: Run, place: Place, kind: str, seconds: float, *, lanes: int) -> None:
        """A worker has done an epoch. lanes: that train on"""
        self._known[run.task.data, run.task.shared, kind].append((place, run.lanes, seconds))
        run.epoch(seconds, lanes=lanes)

    def times_slower(self, run: Run, place: Place, kind: str) -> float:
        """How many times slower than others a worker is; 0 as long as that is nothing to act upon."""
        if run.total_s + run.now_s < PATIENCE_S:
            return 0.0
        own = [*run.epochs]
        if not own or run.now_s > max(seconds for _, seconds in own):
            own.append((run.lanes, run.now_s))  # the one under way is the longest yet
        most = max(lanes for lanes, _ in own)
        known = self._known[run.task.data, run.task.shared, kind]
        others = [seconds for other, lanes, seconds in known if other != place and lanes >= most]
        if len(others) < FEWEST:
            return 0.0
        times = median(seconds for _, seconds in own) / max(median(others), 1e-9)
        return times if times > SLOWER else 0.0
