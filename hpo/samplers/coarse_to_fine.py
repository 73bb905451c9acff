"""Coarse to fine: random search in rounds, each in the box that the best trials so far span, and longer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpo.samplers.boxes import Known, Ranges, Step
from hpo.samplers.distributions import distributions_of
from hpo.samplers.random import RandomSampler, draw_of
from hpo.samplers.reach import reach_of
from hpo.samplers.round_notes import Seen, notes_of
from hpo.samplers.rounds import Rounds
from hpo.space import SearchSpace
from hpo.states import Reason, TrialState
from hpo.study import Direction
from hpo.trial import Trial, TrialPlan

# Reasons of trials without a value that say something about their params.
_BAD = (Reason.DIVERGED, Reason.INFEASIBLE)


class CoarseToFineSampler(RandomSampler):
    """Proposes a round as random search would, then waits for its trials and narrows the ranges.

    seed: of the sampler; space: needed to `ask`, not for Optuna's own studies; rounds: how long they are
    widen: past an end of a written range at which the best crowd, a decade or a width at most
    """

    def __init__(
        self,
        seed: int | None = None,
        space: SearchSpace | None = None,
        *,
        rounds: Rounds | None = None,
        direction: Direction = Direction.MINIMIZE,
        widen: bool = False,
    ) -> None:
        super().__init__(seed, space)
        space = space or SearchSpace({})
        self.rounds = rounds or Rounds()
        self._sign = direction.sign
        written = distributions_of(space)
        reach = distributions_of(reach_of(space)) if widen else written
        self._ranges = Ranges(written=written, reach=reach)
        self._told: list[Trial] = []
        self._n_places = 0  # told trials that are its own
        self._began: dict[int, int] = {}  # round -> how many trials were told before its first one
        self._steps_to: dict[int, tuple[int, Step]] = {}  # round -> what was told then, the way to its box
        self._notes: dict[str, Any] = {}

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials first, …, to the end of a round; of the next one none until all before it are told."""
        place = first if place is None else place
        plans: list[TrialPlan] = []
        while len(plans) < n:
            round_, number = self.rounds.at(place), first + len(plans)
            # A round begins when every lower number is finished, the enqueued ones too: what was known
            # then can be told from the numbers alone, whenever a study goes on.
            waits = self._n_places < round_.start or (place == round_.start and len(self._told) != number)
            if round_.index and waits:
                break
            draws = {name: draw_of(d) for name, d in self._step_to(round_.index).box.items()}
            upto = min(n - len(plans), round_.end - place)
            epochs = round_.epochs if round_.epochs < self.rounds.epochs else None
            plans += [
                TrialPlan(number=i, params=self.params(i, draws=draws), epochs=epochs)
                for i in range(number, number + upto)
            ]
            place += upto
        return plans

    def tell(self, trials: Sequence[Trial]) -> None:
        """Finished trials, in order of number."""
        n_before = self._n_places
        for trial in trials:
            if trial.sampled:
                round_ = self.rounds.at(self._n_places)
                if self._n_places == round_.start:
                    self._began[round_.index] = len(self._told)
                self._n_places += 1
            self._told.append(trial)
        if self._n_ended(self._n_places) != self._n_ended(n_before):
            self._notes = self._make_notes()

    def notes(self) -> dict[str, Any]:
        """The rounds that have ended and the next one's box, and sentences about them; empty before."""
        return self._notes

    def _n_ended(self, n_places: int) -> int:
        return self.rounds.at(n_places).index

    def _step_to(self, index: int) -> Step:
        """The box of a round and what led to it, from the trials told before its first one."""
        if index == 0:
            return Step(box=dict(self._ranges.written))
        n_told = self._began.get(index, len(self._told))
        made = self._steps_to.get(index)
        if made is None or made[0] != n_told:
            known = [one for one in map(self._known, self._told[:n_told]) if one is not None]
            before = self._step_to(index - 1).box
            made = n_told, self._ranges.next_box(before, known, self.rounds.n_best(index - 1))
            self._steps_to[index] = made
        return made[1]

    def _known(self, trial: Trial) -> Known | None:
        """What a trial teaches; nothing when it ended for a reason that is not its own."""
        if trial.state is TrialState.COMPLETE and trial.value is not None and trial.feasible:
            return Known(self._sign * trial.value, trial.params)
        reason = (trial.reason or "").split("@")[0]
        pruned = trial.state is TrialState.PRUNED and reason != Reason.WALL_TIME
        bad = pruned or reason in _BAD or not trial.feasible
        return Known(math.inf, trial.params) if bad else None

    def _make_notes(self) -> dict[str, Any]:
        seen = []
        for index in range(self._n_ended(self._n_places) + 1):
            ended = index < self._n_ended(self._n_places)
            seen.append(
                Seen(
                    round=self.rounds.at_index(index),
                    step=self._step_to(index),
                    best=self._best_of_round(index) if ended else None,
                )
            )
        return notes_of(self.rounds, seen, self._ranges)

    def _best_of_round(self, index: int) -> Trial | None:
        first = self._began[index]
        last = self._began.get(index + 1, len(self._told))
        complete = [
            t
            for t in self._told[first:last]
            if t.state is TrialState.COMPLETE and t.feasible and t.value is not None
        ]
        return min(complete, key=lambda t: (self._sign * (t.value or 0.0), t.number), default=None)

    # Optuna's own interface

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing: parameters are drawn one by one. Raises ValueError with several objectives."""
        self._raise_error_if_multi_objective(study)
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of one parameter in the trial of that number. Raises ValueError with several objectives."""
        self._raise_error_if_multi_objective(study)
        index = self.rounds.at(trial.number).index
        if index == 0:
            return self.draw(draw_of(param_distribution), trial.number, param_name)
        alone = {param_name: param_distribution}
        ranges = Ranges(written=alone, reach=alone)
        sign = -1.0 if study.direction is StudyDirection.MAXIMIZE else 1.0
        finished = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
        box: Mapping[str, BaseDistribution] = alone
        for earlier in range(index):
            start = self.rounds.at_index(earlier + 1).start
            known = [_known_to_optuna(t, sign) for t in finished if t.number < start]
            box = ranges.next_box(box, known, self.rounds.n_best(earlier)).box
        return self.draw(draw_of(box[param_name]), trial.number, param_name)


def _known_to_optuna(trial: FrozenTrial, sign: float) -> Known:
    if trial.state is OptunaState.COMPLETE and trial.value is not None:
        return Known(sign * trial.value, trial.params)
    return Known(math.inf, trial.params)
