"""What is still to be trained: stored cohorts, in parts, and of brackets where their trials stand."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from hpo.bracket import Bracket
from hpo.cohort import Cohort, CohortHalted
from hpo.coordinator.planner import Part
from hpo.coordinator.recovery import Losses
from hpo.coordinator.saved import Saved


@dataclass(slots=True)
class Contest:
    """A stored cohort whose trials are judged. open: its works that are ready or with a worker.

    started: whether this driver has; all its works train under one attempt
    """

    cohort: Cohort
    open: int = 0
    started: bool = False


@dataclass(slots=True)
class Spread:
    """A bracket whose trials train in several tasks, until the next judgement.

    epoch: of that judgement; open: works that are not there yet; halted: what those that are have handed back
    """

    bracket: Bracket
    epoch: int
    open: int = 0
    halted: list[tuple[Part, CohortHalted]] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """A stored cohort, or a share of one that is judged, and its parts, trained one after another.

    contest: set in a study with a pruner; spread: set where other works hold trials of the same bracket
    checkpoints, epoch: where it goes on after a judgement, and after which epoch
    saved: where its parts stood since, the last word first
    """

    cohort: Cohort
    parts: deque[Part]
    losses: Losses = field(default_factory=Losses)
    contest: Contest | None = None
    spread: Spread | None = None
    checkpoints: tuple[bytes, ...] = ()
    epoch: int = 0
    saved: tuple[Saved, ...] = ()

    def saved_for(self, numbers: Collection[int]) -> Saved | None:
        """Where all of these trials stood together, as far as is known."""
        return next((saved for saved in self.saved if saved.numbers.issuperset(numbers)), None)

    def save(self, saved: Saved) -> None:
        """These trials stand there now; what is known of parts that are still to come stays."""
        parts = [{trial.number for trial in part} for part in self.parts]
        self.saved = (saved, *(old for old in self.saved if any(map(old.numbers.issuperset, parts))))

    @property
    def begun(self) -> bool:
        """Whether any of it was ever given to a worker."""
        return (self.contest.cohort if self.contest else self.cohort).attempt > 0

    @property
    def over(self) -> bool:
        """Whether its cohort is done once this is written; who is judged waits for the others."""
        return not self.parts and self.contest is None
