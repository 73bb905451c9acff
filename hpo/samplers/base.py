"""What a sampler can do besides being Optuna's: propose many trials at once, by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from hpo.trial import Trial, TrialPlan


class Sampler(Protocol):
    """Proposes trials. For random and grid a plan is a pure function of the study file and the number."""

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first, first + 1, …; fewer than n when there are no more, and none
        when finished trials must be told first.

        place: how many plans the sampler gave for lower numbers; the rest of those were enqueued (None:
        as many as there are lower numbers)
        """

    def tell(self, trials: Sequence[Trial]) -> None:
        """Finished trials, in order of number."""

    def notes(self) -> Mapping[str, Any]:
        """What it decided, in JSON types, to be stored with the study and shown; empty when nothing."""


@runtime_checkable
class Learner(Sampler, Protocol):
    """A sampler whose plans depend on trials that have not finished, and on other studies."""

    def warm(self, trials: Sequence[Trial]) -> None:
        """Finished trials of other studies, in the words of this one's search space; before the first ask."""

    def planned(self, trials: Sequence[Trial]) -> None:
        """Trials that have got the next numbers and not ended: enqueued ones, and after a restart those
        that an earlier driver planned, in order. Its own plans need not be said again."""

    def raised(self, total: int) -> None:
        """The study has so many trials now, more than its study file says."""

    def thinking(self) -> bool:
        """Whether plans are being worked out: `ask` gives none now and will soon."""

    def close(self) -> None:
        """Let go of processes."""
