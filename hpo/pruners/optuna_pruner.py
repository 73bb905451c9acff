"""Any pruner of Optuna by its class name, over an in-memory study of a bracket's members.

Optuna's pruners see trials one after another, ours train side by side. So after each epoch the members are told and
judged in order of number, and while one is judged those of lower numbers that go on count as COMPLETE with what
they have shown until then: as if they had been there before it.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from hpo.bracket import Bracket, History
from hpo.errors import SpecError, UnknownName, lookup
from hpo.pruners.base import contenders
from hpo.pruners.brackets import Brackets
from hpo.pruners.names import DEFAULT_BRACKET, NAMES
from hpo.study import Direction, PrunerSpec


def make(spec: PrunerSpec) -> BasePruner:
    """Optuna's pruner with the options of a study file. Raises UnknownName, SpecError."""
    known = lookup({name: getattr(optuna.pruners, name) for name in NAMES}, spec.name, "pruner")
    names = [name for name in inspect.signature(known).parameters if name != "self"]
    for name in spec.options:
        try:
            lookup(dict.fromkeys(names), name, f"option of {spec.name}")
        except UnknownName as error:
            raise UnknownName(error.detail, field=f"pruner.options.{name}") from None
    for name, parameter in inspect.signature(known).parameters.items():
        if "Pruner" in str(parameter.annotation):
            raise SpecError(
                f"{spec.name} wants another pruner as {name}, which a study file cannot say; name that one itself",
                field="pruner.name",
            )
        if parameter.default is inspect.Parameter.empty and name not in spec.options:
            raise SpecError(f"is needed by {spec.name}", field=f"pruner.options.{name}")
    try:
        made: BasePruner = known(**spec.options)
    except (ValueError, TypeError) as error:
        raise SpecError(f"Optuna says: {error}", field="pruner.options") from None
    return made


@dataclass(slots=True)
class _Race:
    """A bracket as an Optuna study, told and judged up to an epoch. ids: of its trials there, by number."""

    study: optuna.Study
    ids: dict[int, int] = field(default_factory=dict)
    epoch: int = 0


class OptunaPruner:
    """Judges after every epoch but the last. Judgements of a bracket must come in order of epochs."""

    def __init__(self, spec: PrunerSpec, epochs: int, direction: Direction) -> None:
        self._spec, self._direction = spec, direction
        self._brackets = Brackets([(spec.bracket or DEFAULT_BRACKET, tuple(range(1, epochs)))])
        self._races: dict[int, _Race] = {}
        make(spec)

    @property
    def name(self) -> str:
        """As the study file has it."""
        return self._spec.name

    @property
    def widest(self) -> int:
        """The size of a bracket."""
        return self._brackets.widest

    def bracket(self, number: int) -> Bracket:
        """The bracket a trial belongs to."""
        return self._brackets.of(number)

    def losers(self, bracket: Bracket, epoch: int, members: Mapping[int, History]) -> frozenset[int]:
        """Which of the bracket's trials end after an epoch; see Pruner."""
        race = self._races.pop(bracket.first, None)
        if race is None or race.epoch != epoch - 1:
            race = self._begin(bracket)
        out: frozenset[int] = frozenset()
        for at in range(race.epoch + 1, epoch + 1):  # what an earlier driver has judged is judged once more
            out = self._advance(race, at, members)
        race.epoch = epoch
        on = (history for number, history in members.items() if number not in out)
        if any(history.last > epoch for history in on):  # else nobody is left, and it would be kept for ever
            self._races[bracket.first] = race
        return out

    def _begin(self, bracket: Bracket) -> _Race:
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(logging.WARNING)
        study = optuna.create_study(
            direction=self._direction.value, pruner=make(self._spec), study_name=f"bracket-{bracket.first}"
        )
        optuna.logging.set_verbosity(level)
        return _Race(study)

    def _advance(self, race: _Race, epoch: int, members: Mapping[int, History]) -> frozenset[int]:
        """Tell and judge one epoch of all members that are judged after it, in order of number."""
        storage, study = race.study._storage, race.study
        for number in sorted(members):
            if number not in race.ids:  # numbers of a study run from 0 on, and so do a bracket's
                race.ids[number] = storage.create_new_trial(study._study_id)
        judged = contenders(epoch, members)
        out: set[int] = set()
        for number in judged:
            storage.set_trial_intermediate_value(race.ids[number], epoch, members[number].values[epoch - 1])
            if study.pruner.prune(study, storage.get_trial(race.ids[number])):
                out.add(number)
            self._mark(
                storage.get_all_trials(study._study_id, deepcopy=False), race.ids[number], number in out
            )
        for trial in storage.get_all_trials(study._study_id, deepcopy=False):
            if trial.state is TrialState.COMPLETE:
                trial.state, trial.values = TrialState.RUNNING, None
        return frozenset(out)

    def _mark(self, trials: list[FrozenTrial], trial_id: int, pruned: bool) -> None:
        """Show a trial as those after it are to see it."""
        trial = next(trial for trial in trials if trial._trial_id == trial_id)
        shown = [value for value in trial.intermediate_values.values() if not math.isnan(value)]
        if shown:
            trial.values = [max(shown) if self._direction is Direction.MAXIMIZE else min(shown)]
        trial.state = TrialState.PRUNED if pruned or not shown else TrialState.COMPLETE
