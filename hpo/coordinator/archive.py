"""What earlier drivers left: trials that ended, as judgements need them, and where cohorts stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpo.cohort import Cohort
from hpo.coordinator.planner import ReadyTrial, Resolver
from hpo.coordinator.saved import Saved, unpacked
from hpo.coordinator.writer import Writer
from hpo.storage.base import Storage
from hpo.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Reads the trials of one study. Any call may raise StorageUnavailable."""

    storage: Storage
    write: Writer
    name: str
    resolver: Resolver

    def saved(self, cohort: Cohort) -> tuple[Saved, ...]:
        """Where a cohort was when that was kept last; nothing when it never was."""
        kept = self.write(lambda: self.storage.checkpoint(cohort.id)) if cohort.attempt else None
        return () if kept is None else (unpacked(kept),)

    def ended(self, numbers: Sequence[int]) -> Iterator[tuple[TrialResult, ReadyTrial]]:
        """Those of the trials that have ended, with their curves."""
        if not numbers:
            return
        curves = self.write(lambda: self.storage.curves(self.name, numbers))
        for number in numbers:
            trial = self.write(lambda number=number: self.storage.get_trial(self.name, number))  # type: ignore[misc]
            if trial.state.finished:
                yield (
                    TrialResult(
                        number=number,
                        state=trial.state,
                        reason=trial.reason,
                        epochs=trial.epochs,
                        curve=curves.get(number),
                    ),
                    self.resolver.resolve(number, trial.params, trial.budget),
                )
