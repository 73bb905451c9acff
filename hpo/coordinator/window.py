"""The next window of consecutive trial numbers: enough to fill the slots, more while cohorts stay half empty."""

from __future__ import annotations

from hpo.coordinator.planner import MOST_IN_WINDOW, Planner, ReadyTrial, Resolver
from hpo.coordinator.populations import whole_blocks
from hpo.coordinator.proposals import Proposals
from hpo.trial import TrialPlan

Window = tuple[list[TrialPlan], list[ReadyTrial]]


def next_window(proposals: Proposals, resolver: Resolver, planner: Planner) -> Window:
    """The trials to plan next and their settings, in order of number; none when there are none (yet).

    Trials that share few settings make narrow cohorts, so the window grows until its groups are half full.
    Raises SpecError when a trial's settings do not fit together.
    """
    plans, trials = _resolved(proposals, resolver, 1)
    if not plans:
        return plans, trials
    size = planner.first_window(trials[0].shared, proposals.remaining)
    if planner.population is not None:
        return _resolved(proposals, resolver, whole_blocks(plans[0].number, size, planner.population))
    while True:
        plans, trials = _resolved(proposals, resolver, size)
        larger = min(2 * size, MOST_IN_WINDOW)
        if len(plans) < size or larger <= size or not planner.too_scattered(trials):
            return plans, trials
        size = larger


def _resolved(proposals: Proposals, resolver: Resolver, n: int) -> Window:
    plans = proposals.peek(n)
    return plans, [resolver.resolve(plan.number, plan.params, plan.epochs) for plan in plans]
