"""Which numbers are judged together: blocks of consecutive numbers, of one size or of a cycle of sizes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from hpo.bracket import Bracket


class Brackets:
    """Blocks of numbers from 0 on, in a cycle of kinds. kinds: size of each, and the epochs of its judgements.

    >>> kinds = Brackets([(3, (1, 3)), (2, (3,))])
    >>> [kinds.of(number).first for number in range(7)]
    [0, 0, 0, 3, 3, 5, 5]
    """

    def __init__(self, kinds: Sequence[tuple[int, tuple[int, ...]]]) -> None:
        self._kinds = kinds
        self._firsts = [0, *accumulate(size for size, _ in kinds)]

    @property
    def widest(self) -> int:
        """The largest size."""
        return max(size for size, _ in self._kinds)

    def of(self, number: int) -> Bracket:
        """The bracket of a number."""
        cycle, place = divmod(number, self._firsts[-1])
        kind = bisect_right(self._firsts, place) - 1
        size, epochs = self._kinds[kind]
        return Bracket(first=cycle * self._firsts[-1] + self._firsts[kind], size=size, epochs=epochs)


def rungs(min_epochs: int, factor: int, epochs: int) -> tuple[int, ...]:
    """min_epochs * factor^k below epochs.

    >>> rungs(3, 3, 27), rungs(1, 4, 50)
    ((3, 9), (1, 4, 16))
    """
    found: list[int] = []
    rung = min_epochs
    while rung < epochs:
        found.append(rung)
        rung *= factor
    return tuple(found)
