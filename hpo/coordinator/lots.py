"""Plan a study with a pruner: each bracket in as few cohorts as may be, so that a worker can judge it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.bracket import Bracket
from hpo.coordinator.planner import Part, Planner, ReadyTrial, cut_alike, group
from hpo.pruners.base import Pruner

FEWEST_TRIALS = 8  # a part with fewer trains hardly faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Trials that make one stored cohort.

    bracket: the one that they are spread over several parts of; None when a worker can judge all alone, or
    there is nothing to judge
    """

    parts: tuple[Part, ...]
    bracket: Bracket | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its trials, ascending."""
        return tuple(sorted(trial.number for part in self.parts for trial in part))


def lots_of(trials: Sequence[ReadyTrial], planner: Planner, pruner: Pruner, *, alone: bool) -> list[Lot]:
    """The trials of a window, the lots that take longest first. alone: whether a worker may judge by itself."""
    brackets: dict[Bracket, list[ReadyTrial]] = {}
    for trial in trials:
        brackets.setdefault(pruner.bracket(trial.number), []).append(trial)
    judged = {bracket: members for bracket, members in brackets.items() if bracket.epochs}
    free = [trial for bracket, members in brackets.items() if not bracket.epochs for trial in members]
    lots = [Lot(parts=(part,)) for part in planner.cohorts(free)] if free else []
    whole: list[Part] = []
    enough = len(judged) >= planner.machine.n_slots  # else one bracket alone would leave slots idle
    for bracket, members in judged.items():
        groups = group(members)
        if alone and len(groups) == 1 and fits_one(members, planner, idle=not enough):
            whole.append(groups[0])
        else:
            lots.append(Lot(bracket=bracket, parts=tuple(spread(members, planner))))
    lots += [Lot(parts=(part,)) for part in joined(whole, planner)]
    return sorted(lots, key=lambda lot: (-sum(map(planner.seconds, lot.parts)), lot.numbers))


def fits_one(members: Sequence[ReadyTrial], planner: Planner, *, idle: bool) -> bool:
    """Whether trials of one kind may make one cohort, of which soon only few are left; idle: slots are free."""
    if idle and len(members) > FEWEST_TRIALS and planner.machine.n_slots > 1:
        return False
    return len(members) <= planner.trials_of_bracket(members[0].shared)


def spread(members: Sequence[ReadyTrial], planner: Planner) -> list[Part]:
    """Trials of one bracket as parts that keep the slots busy until the next judgement."""
    fair = max(FEWEST_TRIALS, -(-len(members) // planner.machine.n_slots))
    parts: list[Part] = []
    for one in group(members):
        size = min(fair, planner.trials_per_cohort(one[0].shared))
        parts += cut_alike(one, -(-len(one) // size))
    return parts


def joined(brackets: Sequence[Part], planner: Planner) -> list[Part]:
    """Whole brackets, those of one kind together as far as that pays and every slot has its share."""
    n_trials = sum(map(len, brackets))
    fair = -(-n_trials // planner.machine.n_slots)
    open_: dict[object, Part] = {}
    full: list[Part] = []
    for bracket in brackets:
        shared = bracket[0].shared
        held = open_.pop(shared, ())
        if held and len(held) + len(bracket) > min(fair, planner.trials_per_cohort(shared)):
            full.append(held)
            held = ()
        open_[shared] = (*held, *bracket)
    return [*full, *open_.values()]
