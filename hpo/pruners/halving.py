"""Successive halving (Jamieson and Talwalkar 2016): at each rung the best of a bracket go on."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.bracket import History
from hpo.pruners.base import contenders


def losers(epoch: int, members: Mapping[int, History], *, sign: int, factor: int) -> frozenset[int]:
    """All but the ceil(n / factor) best of the n trials judged, by best value so far, ties to the lowest number.

    sign: 1 when small values are good, else -1

    Whoever has ended by itself before is not counted, and its place not given to another: with 9 of 27 diverged
    and factor 3, six go on.
    """
    judged = contenders(epoch, members)
    ranked = sorted(judged, key=lambda number: (members[number].best(epoch, sign), number))
    return frozenset(ranked[-(-len(judged) // factor) :])
