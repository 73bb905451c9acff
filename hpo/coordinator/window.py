"""The next window of consecutive trial numbers: enough to fill the slots, more while cohorts stay half empty."""

from __future__ import annotations

from hpo.coordinator.planner import MOST_IN_WINDOW, Planner, ReadyTrial, Resolver
from hpo.coordinator.populations import whole_blocks
from hpo.coordinator.proposals import Proposals
from hpo.pruners.base import Pruner
from hpo.trial import TrialPlan

Window = tuple[list[TrialPlan], list[ReadyTrial]]


def next_window(
    proposals: Proposals,
    resolver: Resolver,
    planner: Planner,
    pruner: Pruner | None = None,
    *,
    cornered: bool = False,
) -> Window:
    """The trials to plan next and their settings, in order of number; none when there are none (yet).

    Trials that share few settings make narrow cohorts, so the window grows until its groups are half full.
    With a pruner it ends where a bracket does. cornered: nothing trains, so nobody will be told of more, and a
    bracket that the sampler does not fill is taken as it is.
    Raises SpecError when a trial's settings do not fit together.
    """
    plans, trials = _resolved(proposals, resolver, 1)
    if not plans:
        return plans, trials
    size = planner.first_window(trials[0].shared, proposals.remaining)
    if planner.population is not None:
        return _resolved(proposals, resolver, whole_blocks(plans[0].number, size, planner.population))
    while True:
        size = _whole(plans[0].number, size, pruner)
        plans, trials = _resolved(proposals, resolver, size)
        larger = min(2 * size, MOST_IN_WINDOW)
        if len(plans) < size or larger <= size or not planner.too_scattered(trials):
            break
        size = larger
    if pruner is None or cornered or len(plans) == proposals.remaining:
        return plans, trials
    bracket = pruner.bracket(plans[-1].number)
    n = len(plans) if plans[-1].number == bracket.numbers[-1] else bracket.first - plans[0].number
    return plans[: max(0, n)], trials[: max(0, n)]


def _whole(first: int, n: int, pruner: Pruner | None) -> int:
    """So many numbers from the first on, and those that are missing to the end of a bracket."""
    return n if pruner is None else pruner.bracket(first + n - 1).numbers[-1] + 1 - first


def _resolved(proposals: Proposals, resolver: Resolver, n: int) -> Window:
    plans = proposals.peek(n)
    return plans, [resolver.resolve(plan.number, plan.params, plan.epochs) for plan in plans]
