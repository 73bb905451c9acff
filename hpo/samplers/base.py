"""What a sampler can do besides being Optuna's: propose many trials at once, by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hpo.trial import Trial, TrialPlan


class Sampler(Protocol):
    """Proposes trials. For random and grid a plan is a pure function of the study file and the number."""

    def ask(self, first: int, n: int) -> list[TrialPlan]:
        """The plans of trials first, first + 1, …; fewer than n when there are no more, and none
        when finished trials must be told first."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Finished trials, in order of number."""
