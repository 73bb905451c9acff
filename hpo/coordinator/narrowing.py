"""Cut what is next to fewer trials: `limits.parallel` may have been larger, or none, when it was planned."""

from __future__ import annotations

from collections import deque

from hpo.coordinator.brackets import Referee
from hpo.coordinator.planner import cut
from hpo.coordinator.work import Work


def narrow(ready: deque[Work], referee: Referee, most: int | None) -> None:
    """Have the next part that goes to a worker be of so many trials at most; a population stays whole."""
    while ready and ready[0].parts and most is not None and referee.planner.population is None:
        work = ready[0]
        n_trials = len(work.parts[0])
        if n_trials <= most:
            return
        part = work.parts.popleft()
        if work.contest is None:
            work.parts.extendleft(reversed(cut(part, -(-n_trials // most))))
        else:
            ready.popleft()
            ready.extendleft(reversed(referee.halves(work, part)))
            referee.landed(work)  # the halves are in its place
