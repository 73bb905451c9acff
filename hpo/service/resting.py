"""What trials look like in a study at rest: those that were handed back wait for it to go on.

The database keeps them RUNNING, or a foreign `study.ask` would hand out trials that are WAITING in Optuna's table.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpo.states import TrialState
from hpo.study import Study
from hpo.trial import Trial

_SEEN = {TrialState.RUNNING: TrialState.WAITING, TrialState.WAITING: TrialState.RUNNING}


def counts_of(study: Study) -> dict[TrialState, int]:
    """How many trials are seen in each state."""
    counts = {state: study.counts.get(state, 0) for state in TrialState}
    if study.at_rest:
        counts[TrialState.WAITING] += counts[TrialState.RUNNING]
        counts[TrialState.RUNNING] = 0
    return counts


def seen(study: Study, trial: Trial) -> Trial:
    """A trial as it is seen."""
    running = trial.state is TrialState.RUNNING
    return trial._replace(state=TrialState.WAITING) if running and study.at_rest else trial


def stored(study: Study, states: Iterable[TrialState]) -> tuple[TrialState, ...]:
    """The states that trials have in the database which are seen in one of these."""
    return tuple(_SEEN.get(state, state) if study.at_rest else state for state in states)
