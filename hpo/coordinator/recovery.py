"""What to do with work that did not end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpo.cohort import Cohort
from hpo.states import CohortState, Reason
from hpo.trial import Trial


@dataclass(frozen=True, slots=True)
class TrainAgain:
    """The same numbers once more."""


@dataclass(frozen=True, slots=True)
class Halve:
    """The same numbers in two halves."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The trials end FAIL."""

    reason: Reason


def after_failure(reason: str, *, n_trials: int, losses: int, retries: int) -> TrainAgain | Halve | GiveUp:
    """What to do when a cohort did not end by itself.

    reason: of CohortFailed; n_trials: those without a result; losses: how often it was lost, this time
    included.

    >>> after_failure("lost", n_trials=32, losses=1, retries=2)
    TrainAgain()
    >>> after_failure("out_of_memory", n_trials=1, losses=0, retries=2)
    GiveUp(reason=<Reason.OUT_OF_MEMORY: 'out_of_memory'>)
    """
    if reason == Reason.OUT_OF_MEMORY:
        return Halve() if n_trials > 1 else GiveUp(Reason.OUT_OF_MEMORY)
    if reason in (Reason.LOST, Reason.CANCELLED):  # nobody asked to cancel: it was lost
        return TrainAgain() if losses <= retries else GiveUp(Reason.LOST)
    return GiveUp(Reason.ERROR)


def what_is_left(
    cohorts: Iterable[Cohort], unfinished: Iterable[Trial], *, stopping: bool
) -> list[tuple[Cohort, tuple[Trial, ...]]]:
    """The stored cohorts that a driver which takes over must train, each with its unfinished trials.

    A study that is stopping trains only cohorts that were running.
    """
    trials: Mapping[int, Trial] = {trial.number: trial for trial in unfinished}
    return [
        (cohort, tuple(trials[n] for n in cohort.numbers if n in trials))
        for cohort in cohorts
        if not stopping or cohort.state is CohortState.RUNNING
    ]
