"""What a storage says of itself and of everything in it, for those who watch a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hpo.states import StudyState, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Everything there is, counted at one moment.

    studies, trials: how many by state, every state named
    n_resting: of the RUNNING trials those of studies at rest, handed back until these go on
    waits_s: for how long the study that has waited longest for a server's coordinator has; 0.0: none waits
    live: what the drivers of running studies last said of their speed
    """

    studies: Mapping[StudyState, int]
    trials: Mapping[TrialState, int]
    n_resting: int = 0
    waits_s: float = 0.0
    live: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


class CensusStorage(Protocol):
    """The part of a Storage that watchers read. Raises StorageUnavailable."""

    def revision(self) -> str:
        """The revision of the tables as they are now. Raises StorageVersion when this hpo does not know it."""

    def census(self) -> Census:
        """Everything there is, at the same cost however many trials there are."""
