"""Hyperband's brackets (Li et al., JMLR 18, 2018, algorithm 1): many trials judged early, few judged late."""

from __future__ import annotations

from math import floor

Kind = tuple[int, tuple[int, ...]]


def kinds(min_epochs: int, factor: int, epochs: int) -> list[Kind]:
    """Size and rungs of each bracket of a cycle, the one with most trials first.

    With s from s_max = floor(log_factor(epochs / min_epochs)) down to 0, a bracket has
    ceil((s_max + 1) / (s + 1) * factor^s) trials and its rungs at epochs / factor^k for k = s .. 1, in whole
    epochs rounded down. The last bracket is judged never.

    >>> [(size, len(rungs)) for size, rungs in kinds(1, 3, 81)]
    [(81, 4), (34, 3), (15, 2), (8, 1), (5, 0)]
    """
    s_max = 0
    while min_epochs * factor ** (s_max + 1) <= epochs:
        s_max += 1
    found: list[Kind] = []
    for s in range(s_max, -1, -1):
        size = -(-(s_max + 1) * factor**s // (s + 1))
        found.append((size, tuple(floor(epochs / factor**k) for k in range(s, 0, -1))))
    return found
