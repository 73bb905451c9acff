"""Settings that users enqueue, also while the study runs: noticed, and handed to whoever plans trials."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from hpo.coordinator.proposals import Proposals
from hpo.coordinator.tally import Tally
from hpo.coordinator.writer import Writer
from hpo.storage.base import Storage


@dataclass(kw_only=True)
class Enqueued:
    """Looks after the queue of one study. Any call may raise StorageUnavailable.

    every_s: how long a look holds; total: of trials, at the last one
    """

    storage: Storage
    write: Writer
    name: str
    proposals: Proposals
    tally: Tally
    every_s: float
    total: int = -1
    _looked: float = -math.inf

    def notice(self, *, now: bool = False) -> bool:
        """Whether the total has grown since the last look; looks anew when that is long ago, or now.

        Whatever is enqueued raises the total: while that stays, the queue itself need not be read.
        """
        if time.monotonic() - self._looked < self.every_s and not now:
            return False
        # The total first: an entry that it counts is then in the queue, and no plan of the sampler takes its place.
        total = self.write(lambda: self.storage.get_study(self.name)).n_trials
        self._looked = time.monotonic()
        if total == self.total:
            return False
        self.total = total
        self.proposals.enqueued(self.write(lambda: self.storage.queue(self.name)), total=total)
        self.tally.raised(total)
        return True
