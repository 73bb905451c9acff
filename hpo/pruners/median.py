"""The median rule (Golovin et al. 2017): a trial ends when its best is worse than the bracket's median."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from hpo.bracket import History
from hpo.pruners.base import contenders


def losers(epoch: int, members: Mapping[int, History], *, sign: int) -> frozenset[int]:
    """The trials whose best so far is worse than the median of all members' best so far.

    sign: 1 when small values are good, else -1

    A member that has ended counts with the best it had, so a bracket is not halved anew after each epoch. One
    that never had a value does not count.
    """
    best = {number: history.best(epoch, sign) for number, history in members.items() if history.values}
    if not best:
        return frozenset()
    middle = median(best.values())
    return frozenset(number for number in contenders(epoch, members) if best[number] > middle)
