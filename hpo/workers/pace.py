"""How long epochs take, so that a worker is found that is much slower than the others at the same."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from statistics import mean

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
    """What a worker has done of its task lately, for PATIENCE_S or somewhat longer.

    lanes: trials that trained in the last epoch; now_s: since then; n, most, total_s: number of epochs, most lanes of
    one of them, seconds of all; suspect: it was slow for as long just before
    """

    task: CohortTask
    lanes: int
    now_s: float = 0.0
    n: int = 0
    most: int = 0
    total_s: float = 0.0
    suspect: bool = False

    def begin_anew(self) -> None:
        """Forget what was done until now."""
        self.now_s, self.n, self.most, self.total_s = 0.0, 0, 0, 0.0

    def epoch(self, seconds: float, *, lanes: int) -> None:
        """An epoch of so many lanes is over."""
        if self.total_s >= 2 * PATIENCE_S:
            self.begin_anew()
        self.n, self.most, self.total_s = self.n + 1, max(self.most, lanes), self.total_s + seconds
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
        """How many times slower than others a worker is; 0 as long as that is nothing to act upon.

        It must have been slow twice in a row: others are known for a few seconds when epochs are short, and once something has
        slowed a whole machine and is over, these were quick.
        """
        seconds = run.total_s + run.now_s  # what is under way may never end
        if seconds < PATIENCE_S:
            return 0.0
        known = self._known.get(run.kind(device), ())
        others = [s for other, lanes, s in known if other != place and lanes >= (run.most or run.lanes)]
        if len(others) < FEWEST:
            return 0.0
        # Means, for a process that gets little of its processor has most of its epochs at full speed, and then none.
        times = seconds / max(1, run.n) / max(mean(others), 1e-9)
        if times > SLOWER and run.suspect:
            return times
        run.suspect = times > SLOWER
        if run.suspect:
            run.begin_anew()
        return 0.0
