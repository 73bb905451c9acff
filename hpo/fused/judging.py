"""What an ended trial is worth: its value in each of several objectives, and whether it meets the constraints.

Both are read at the trial's best epoch, which the first objective alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from hpo.cohort import CohortTask
from hpo.constraints import CURVE_COLUMNS, RESULTS, metrics_read
from hpo.states import TrialState
from hpo.study import METRICS
from hpo.trial import TrialResult

CLOCK = "train_seconds"


def metrics_of(task: CohortTask) -> tuple[str, ...]:
    """The metrics that the curves of a task's trials must hold, the one that is trained for first."""
    named = (one.metric for one in task.objectives if one.metric in METRICS)
    return tuple(dict.fromkeys((task.metric, *named, *metrics_read(task.constraints))))


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the trials of one cohort.

    n_parameters: of a trial's network, by number
    """

    task: CohortTask
    n_parameters: Callable[[int], int]

    @property
    def timed(self) -> bool:
        """Whether anybody asks how long trials take."""
        wanted = any(one.metric == CLOCK for one in self.task.objectives)
        return wanted or any(CLOCK in one.names for one in self.task.constraints)

    def judged(self, result: TrialResult, seconds: float) -> TrialResult:
        """The result with `values` in place of `value` where there are several objectives, and `feasible`.

        seconds: the trial's share of the time its cohort has trained
        """
        task = self.task
        if result.best_epoch is None or not (task.objectives or task.constraints):
            return result
        feasible = True
        if result.state is TrialState.COMPLETE:
            known = task.known.get(result.number, {})
            feasible = all(
                one.holds(
                    {**known, **{n: self._measured(n, result, seconds) for n in one.names if n in RESULTS}}
                )
                for one in task.constraints
            )
        if not task.objectives:
            return replace(result, feasible=feasible)
        values = tuple(self._measured(one.metric, result, seconds) for one in task.objectives)
        return replace(result, value=None, values=values, feasible=feasible)

    def _measured(self, name: str, result: TrialResult, seconds: float) -> float:
        """A metric at the best epoch, or a cost; NaN for a metric that was not measured."""
        if name == self.task.metric and result.value is not None:
            return result.value  # the curve has it rounded to float32
        if name == "n_parameters":
            return float(self.n_parameters(result.number))
        if name == "epochs":
            return float(result.epochs)
        if name == CLOCK:
            return seconds
        column, curve = CURVE_COLUMNS[name], result.curve
        if curve is None or result.best_epoch is None or column not in curve.columns:
            return math.nan
        return curve.block[(result.best_epoch - 1) * len(curve.columns) + curve.columns.index(column)]
