"""The Pareto front: the points that no other is better than in one objective and as good as in the rest."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.study import Direction


def pareto_front(points: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """The places of the points on the front, by the first objective, then the next, then place.

    points: [n][objectives], all finite; equal points stand on the front together

    >>> pareto_front([(0.9, 10), (0.8, 5), (0.8, 20)], [Direction.MAXIMIZE, Direction.MINIMIZE])
    [0, 1]
    """
    signs = [direction.sign for direction in directions]
    losses = [tuple(sign * value for sign, value in zip(signs, point, strict=True)) for point in points]
    order = sorted(range(len(losses)), key=lambda place: (losses[place], place))
    if len(signs) == 2:
        return _staircase(losses, order)
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


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether one is nowhere worse and somewhere better; both as losses."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
