"""Grid search: the point behind a trial's number is computed, so every point once and none held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.errors import SpecError
from hpo.samplers.distributions import distributions_of
from hpo.samplers.points import Grid
from hpo.space import SearchSpace, Value
from hpo.trial import Trial, TrialPlan


class GridSampler(BaseSampler):
    """Proposes every point of a grid once; the last parameter of the study file changes fastest.

    space: every searched range with an end of points; where a condition does not hold, its parameter adds none
    """

    def __init__(self, space: SearchSpace) -> None:
        self._grid = Grid(space)
        self.size = self._grid.size
        self._distributions = distributions_of(space)

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first … first + n - 1, fewer at the end of the grid; place: its next point."""
        at = first if place is None else place
        return [
            TrialPlan(number=first + i, params=self.params(at + i)) for i in range(min(n, self.size - at))
        ]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns nothing: a grid does not look at results."""

    def notes(self) -> dict[str, Any]:
        """Nothing to say."""
        return {}

    def params(self, number: int) -> dict[str, Value]:
        """The point of that place in the grid. Raises SpecError past its end.

        >>> from hpo.space import Choice
        >>> space = SearchSpace({"a": Choice(choices=(1, 2)), "b": Choice(choices=("x", "y", "z"))})
        >>> GridSampler(space).params(4)
        {'a': 2, 'b': 'y'}
        """
        return self._grid.point(number)

    # Optuna's own interface

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters of the grid: a point gives them together."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point of the trial's number. Raises SpecError past the end of the grid."""
        return self.params(trial.number)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Raises SpecError: the grid has no points of other parameters."""
        raise SpecError(f"the grid has no parameter {param_name!r} of that range")

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Stops Optuna's own loop after the last point."""
        if trial.number + 1 >= self.size:
            study.stop()
