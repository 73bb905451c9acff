"""Which trial is better; and the Pareto front: those that no other beats in one objective and equals in the rest."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from hpo.study import Direction


def is_better(direction: Direction, new: tuple[float, int], old: tuple[float, int] | None) -> bool:
    """Whether (value, number) beats another; ties go to the lowest number, NaN and inf never win.

    >>> is_better(Direction.MAXIMIZE, (0.9, 3), (0.9, 7)), is_better(Direction.MINIMIZE, (0.9, 3), (0.8, 7))
    (True, False)
    """
    if not math.isfinite(new[0]):
        return False
    return old is None or (direction.sign * new[0], new[1]) < (direction.sign * old[0], old[1])


def pareto_front(points: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """The places of the points on the front, by the first objective, then the next, then place.

    points: [n][objectives], all finite; equal points stand on the front together

    >>> pareto_front([(0.9, 10), (0.8, 5), (0.8, 20)], [Direction.MAXIMIZE, Direction.MINIMIZE])
    [0, 1]
    """
    signs = [direction.sign for direction in directions]
    losses = [tuple(sign * value for sign, value in zip(signs, point, strict=True)) for point in points]
    order = sorted(range(len(losses)), key=lambda place: (losses[place], place))
    if len(signs) in _BY_SORTING:
        return _BY_SORTING[len(signs)](losses, order)
    front: list[int] = []
    # In this order nothing that comes later dominates what came before, and who is dominated at all is
    # dominated by somebody on the front.
    for place in order:
        if not any(_dominates(losses[other], losses[place]) for other in reversed(front)):
            front.append(place)
    return front


def _staircase(losses: Sequence[tuple[float, ...]], order: Sequence[int]) -> list[int]:
    """The front of two objectives in one pass: as the first becomes worse, the second must become better."""
    front: list[int] = []
    for place in order:
        if not front or losses[place][1] < losses[front[-1]][1] or losses[place] == losses[front[-1]]:
            front.append(place)
    return front


def _sweep(losses: Sequence[tuple[float, ...]], order: Sequence[int]) -> list[int]:
    """The front of three objectives: behind those that are better in the first, a staircase of the other two.

    Of a hundred thousand trials half may be on the front: comparing each with all of them would take an hour.
    """
    front: list[int] = []
    seconds: list[float] = []  # ascending, and for each the least third so far
    thirds: list[float] = []  # descending
    for place in order:
        _, second, third = losses[place]
        if front and losses[place] == losses[front[-1]]:
            front.append(place)
            continue
        at = bisect_right(seconds, second)
        if at and thirds[at - 1] <= third:
            continue
        front.append(place)
        begin = at - 1 if at and seconds[at - 1] == second else at
        end = begin
        while end < len(thirds) and thirds[end] >= third:
            end += 1
        seconds[begin:end], thirds[begin:end] = [second], [third]
    return front


_BY_SORTING = {2: _staircase, 3: _sweep}


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether one is nowhere worse and somewhere better; both as losses."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
