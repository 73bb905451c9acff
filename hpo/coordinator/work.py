"""What is still to be trained: stored cohorts, in parts, and of brackets where their trials stand."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from hpo.bracket import Bracket, History
from hpo.cohort import Cohort, CohortHalted
from hpo.coordinator.planner import Part
from hpo.coordinator.recovery import Losses


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
    checkpoints, epoch: where it goes on, after which epoch; known: what its trials have shown until then
    """

    cohort: Cohort
    parts: deque[Part]
    losses: Losses = field(default_factory=Losses)
    contest: Contest | None = None
    spread: Spread | None = None
    checkpoints: tuple[bytes, ...] = ()
    epoch: int = 0
    known: Mapping[int, History] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """Whether any of it was ever given to a worker."""
        return (self.contest.cohort if self.contest else self.cohort).attempt > 0

    @property
    def over(self) -> bool:
        """Whether its cohort is done once this is written; who is judged waits for the others."""
        return not self.parts and self.contest is None
