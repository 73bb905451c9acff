"""The next window of consecutive trial numbers: enough to fill the slots, more while cohorts stay half empty."""

from __future__ import annotations

from collections.abc import Sequence

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
    idle: bool = False,
) -> Window:
    """The trials to plan next and their settings, in order of number; none when there are none (yet).

    Trials that share few settings make narrow cohorts, so the window grows until its groups are half full.
    With a pruner it ends where a bracket does. idle: whatever was planned has ended, so nobody will be told of
    more, and a bracket that the sampler does not fill is taken as it is. The rest of such a bracket waits until
    those before it have ended, so who is judged with whom does not depend on who was quicker.
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
    if pruner is None:
        return plans, trials
    if not idle and plans[0].number != pruner.bracket(plans[0].number).first:
        return [], []
    n = len(plans) if len(plans) == proposals.remaining else _in_whole_brackets(plans, pruner)
    if not n and idle and not proposals.thinking:
        n = len(plans)
    return plans[:n], trials[:n]


def _in_whole_brackets(plans: Sequence[TrialPlan], pruner: Pruner) -> int:
    """How many of the plans are in brackets that end among them."""
    last = pruner.bracket(plans[-1].number)
    if plans[-1].number == last.numbers[-1]:
        return len(plans)
    return max(0, last.first - plans[0].number)


def _whole(first: int, n: int, pruner: Pruner | None) -> int:
    """So many numbers from the first on, and those that are missing to the end of a bracket."""
    return n if pruner is None else pruner.bracket(first + n - 1).numbers[-1] + 1 - first


def _resolved(proposals: Proposals, resolver: Resolver, n: int) -> Window:
    plans = proposals.peek(n)
    return plans, [resolver.resolve(plan.number, plan.params, plan.epochs) for plan in plans]
