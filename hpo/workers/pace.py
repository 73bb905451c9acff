"""How long epochs take, so that a worker is found that is much slower than the others at the same."""

from __future__ import annotations

from collections import OrderedDict, deque
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
MOST_KINDS = 256  # that are remembered

# Data, network, precision, networks of a trial, device: what is alike in all of these takes the same time.
Kind = tuple[str, SharedSettings, str, int, str]


@dataclass(slots=True)
class Run:
    """A worker's task so far.

    lanes: trials that trained in the last epoch; now_s: since then; epochs: lanes and seconds of the last ones
    total_s: of all
    """

    task: CohortTask
    lanes: int
    now_s: float = 0.0
    total_s: float = 0.0
    epochs: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def epoch(self, seconds: float, *, lanes: int) -> None:
        """An epoch of so many lanes is over."""
        self.epochs.append((lanes, seconds))
        self.total_s += seconds
        self.lanes, self.now_s = lanes, 0.0

    def kind(self, device: str) -> Kind:
        """What it is alike in with other tasks."""
        task = self.task
        return task.data, task.shared, task.precision, len(task.lanes) // len(task.numbers), device


class Pace:
    """What epochs have taken lately everywhere.

    More lanes never train in less time, so a worker is compared with others that had as many or more.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Kind, deque[tuple[Place, int, float]]] = OrderedDict()

    def epoch(self, run: Run, place: Place, device: str, seconds: float, *, lanes: int) -> None:
        """A worker has done an epoch of so many lanes. device: its kind"""
        kind = run.kind(device)
        self._known.setdefault(kind, deque(maxlen=KEPT)).append((place, lanes, seconds))
        self._known.move_to_end(kind)
        if len(self._known) > MOST_KINDS:
            self._known.popitem(last=False)
        run.epoch(seconds, lanes=lanes)

    def times_slower(self, run: Run, place: Place, device: str) -> float:
        """How many times slower than others a worker is; 0 as long as that is nothing to act upon."""
        if run.total_s + run.now_s < PATIENCE_S:
            return 0.0
        own = [*run.epochs]
        if not own or run.now_s > max(seconds for _, seconds in own):
            own.append((run.lanes, run.now_s))  # the one under way is the longest yet
        most = max(lanes for lanes, _ in own)
        known = self._known.get(run.kind(device), ())
        others = [seconds for other, lanes, seconds in known if other != place and lanes >= most]
        if len(others) < FEWEST:
            return 0.0
        times = median(seconds for _, seconds in own) / max(median(others), 1e-9)
        return times if times > SLOWER else 0.0
