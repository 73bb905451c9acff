"""Say now and then where a long cohort stands, so that what kills its worker does not send it back to the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hpo.cohort import CohortSaved, CohortTask, EpochResult
from hpo.fused.trainer import Report, Trainer

EVERY_S = 10.0
# What may not be said within that time is not said at all: the coordinator keeps it, of every worker, in its memory.
MOST_S = 300.0
MOST_BYTES = 64 * 2**20  # written in one transaction, and meanwhile nothing else is


class Saver:
    """Takes checkpoints of a trainer, at its task's bytes a second: every EVERY_S, every MOST_S, or never.

    report, save: take an epoch, and where the cohort stood
    """

    def __init__(
        self,
        task: CohortTask,
        trainer: Trainer,
        report: Report,
        save: Callable[[CohortSaved], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task, self._trainer, self._report, self._save = task, trainer, report, save
        self._clock = clock
        self._last = clock()
        self._held: CohortSaved | None = None

    def report(self, result: EpochResult) -> Sequence[bool] | None:
        """Report an epoch, then what was taken after the one before: now all who ended by then are reported."""
        mask = self._report(result)
        if self._held is not None:
            held, self._held = self._held, None
            self._save(held)
            self._last = self._clock()
        return mask

    def settled(self) -> None:
        """An epoch is over and judged: take a checkpoint, if it is time."""
        task, trainer = self._task, self._trainer
        if self._held is not None or not trainer.trials or not self._is_time():
            return
        self._held = CohortSaved(
            cohort=task.id,
            attempt=task.attempt,
            epoch=trainer.epoch,
            numbers=tuple(trainer.trials),
            checkpoint=trainer.checkpoint(),
        )

    def _is_time(self) -> bool:
        passed = self._clock() - self._last
        # What a population has inherited so far is in no checkpoint: it would have to begin anew all the same.
        if not self._task.saving or self._task.evolution is not None or passed < EVERY_S:
            return False
        return self._trainer.n_bytes <= min(MOST_BYTES, min(passed, MOST_S) * self._task.saving)
