"""How the trials of a cohort change while they train: as a population, or by a schedule found earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.errors import SpecError
from hpo.space import Params, SearchSpace, Value
from hpo.states import Reason
from hpo.trial import Inheritance, Trial

# Of trials that ended so nobody knows what they inherited: their worker never told.
UNTOLD = (Reason.LOST, Reason.ERROR, Reason.OUT_OF_MEMORY, Reason.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """After an epoch (from 1) hyperparameters take other values; None: as if not given."""

    epoch: int
    values: Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """What a worker must know to change its trials between epochs.

    space: the study's; settled: what else it gives every trial, such as epochs; params: the searched values
        each trial begins with
    every: epochs of a generation; 0 when trials change by the schedule only
    quantile, perturb, resample: see `hpo.pruners.population`
    schedule: what changes in every trial, by epoch, ascending
    """

    space: SearchSpace
    settled: Params
    params: Mapping[int, Params]
    seed: int = 0
    every: int = 0
    quantile: float = 0.2
    perturb: tuple[float, float] = (0.8, 1.2)
    resample: float = 0.1
    schedule: tuple[Change, ...] = ()

    def values(self, params: Params, epoch: int = 0) -> dict[str, Value]:
        """All that is given for a trial with these searched values, as it is after an epoch of the schedule."""
        given = {**self.settled, **self.space.active(params)}
        for change in self.schedule:
            if change.epoch <= epoch:
                given |= change.values
        return {name: value for name, value in given.items() if value is not None}


def history(trials: Mapping[int, Trial], number: int, epoch: int) -> tuple[Params, tuple[Inheritance, ...]]:
    """Whose settings trained the weights that a trial had at the end of an epoch: the first ones, then each change.

    trials: those of the population, by number. The changes ascend by epoch; `source` is whose weights were
    taken over. Raises SpecError when what an ancestor inherited is not known.
    """
    changes: list[Inheritance] = []
    while True:
        trial = trials.get(number)
        if trial is None or not trial.state.finished or _untold(trial):
            raise SpecError(
                f"trial {number}, from which the weights come, did not end by itself; what it inherited is not known"
            )
        # What a trial takes over at the end of an epoch counts from the next one on.
        before = [change for change in trial.lineage if change.epoch < epoch]
        if not before:
            return trial.params, tuple(reversed(changes))
        changes.append(before[-1])
        number, epoch = before[-1].source, before[-1].epoch


def _untold(trial: Trial) -> bool:
    return trial.reason in {reason.value for reason in UNTOLD}


def schedule_of(space: SearchSpace, first: Params, changes: Sequence[Inheritance]) -> tuple[Change, ...]:
    """The changes as what differs from one stretch of epochs to the next.

    >>> from hpo.space import Range
    >>> space = SearchSpace({"learning_rate": Range(low=0.0, high=1.0), "l2": Range(low=0.0, high=1.0)})
    >>> schedule_of(space, {"learning_rate": 0.1, "l2": 0.0}, [Inheritance(epoch=6, source=3, params={"learning_rate": 0.2, "l2": 0.0})])
    (Change(epoch=6, values={'learning_rate': 0.2}),)
    """
    found, before = [], space.active(first)
    for change in changes:
        after = space.active(change.params)
        values = {name: value for name, value in after.items() if not _same(before.get(name), value)}
        values |= {name: None for name in before if name not in after}
        if values:
            found.append(Change(epoch=change.epoch, values=values))
        before = after
    return tuple(found)


def _same(one: Value, other: Value) -> bool:
    return type(one) is type(other) and one == other
