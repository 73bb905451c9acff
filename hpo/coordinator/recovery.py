"""What to do with work that did not end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
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

    reason: of CohortFailed; n_trials: those without a result; losses: how often they were lost, this time
    included, see `Losses`; retries: of trials that were lost. When these are used up, trials that kill worker after
    worker are cut in halves until the guilty one is alone; with retries of 0 nothing is ever trained again.

    >>> after_failure("lost", n_trials=32, losses=1, retries=2)
    TrainAgain()
    >>> after_failure("lost", n_trials=32, losses=3, retries=2)
    Halve()
    >>> after_failure("out_of_memory", n_trials=1, losses=0, retries=2)
    GiveUp(reason=<Reason.OUT_OF_MEMORY: 'out_of_memory'>)
    """
    if reason == Reason.OUT_OF_MEMORY:
        return Halve() if n_trials > 1 else GiveUp(Reason.OUT_OF_MEMORY)
    if reason in (Reason.LOST, Reason.CANCELLED):  # nobody asked to cancel: it was lost
        if losses <= retries:
            return TrainAgain()
        return Halve() if n_trials > 1 and retries else GiveUp(Reason.LOST)
    return GiveUp(Reason.ERROR)


class Losses:
    """How often each trial's worker has died without having come further, counted anew once the trial is alone.

    >>> losses = Losses()
    >>> [losses.count([4, 5]) for _ in range(3)], losses.count([4]), losses.count([4])
    ([1, 2, 3], 1, 2)
    """

    def __init__(self) -> None:
        self._together: Counter[int] = Counter()
        self._alone: Counter[int] = Counter()

    def count(self, numbers: Collection[int]) -> int:
        """These were lost once more; how often that makes."""
        counted = self._together if len(numbers) > 1 else self._alone
        counted.update(list(numbers))
        return max((counted[number] for number in numbers), default=0)

    def forget(self, numbers: Iterable[int]) -> None:
        """These have come further, and need not be trained from the same point again."""
        for number in numbers:
            self._together.pop(number, None)
            self._alone.pop(number, None)

    def any(self) -> bool:
        """Whether some trial was lost."""
        return bool(self._together or self._alone)


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
