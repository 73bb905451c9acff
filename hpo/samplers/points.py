"""The points of a grid, counted and indexed without being made; apart from the sampler, so that counting loads no Optuna.

Without conditions a grid is a product, and a point's digits in mixed radix are its places on the axes. With
conditions it is a tree: a parameter that does not count under a point's values multiplies nothing. Parameters
that no condition joins are independent of each other, so the tree is taken apart into a product of small ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

from hpo.errors import SpecError
from hpo.space import Fixed, Parameter, SearchSpace, Value

# A value as conditions compare it: True is not 1, and 1.0 is not 1, though Python finds them equal.
_Kind = tuple[type, Value]
_OTHER: _Kind = (object, None)  # any value that no condition names

# What later conditions can see of the parameters they name; nothing of one that is inactive.
_Seen = tuple[tuple[str, _Kind], ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring points of an axis that no condition tells apart. named: the one value they are, or _OTHER."""

    named: _Kind
    first: int
    length: int


class Grid:
    """Every point of a space once, by its place. Raises SpecError when a parameter has no end of points.

    The last parameter of the study file changes fastest; parameters joined by conditions change together.

    >>> from hpo.space import Choice
    >>> beta = Choice(choices=(1, 2), when={"kind": ("b",)})
    >>> grid = Grid(SearchSpace({"kind": Choice(choices=("a", "b")), "beta": beta}))
    >>> [grid.point(place) for place in range(grid.size)]
    [{'kind': 'a'}, {'kind': 'b', 'beta': 1}, {'kind': 'b', 'beta': 2}]
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._trees = [_Tree(space, names) for names in _joined(space)]
        self.size = math.prod(tree.size for tree in self._trees)

    def point(self, place: int) -> dict[str, Value]:
        """The searched values of the point at a place, in the order of the study file. Raises SpecError past the end."""
        if not 0 <= place < self.size:
            raise SpecError(f"the grid has {self.size:,} points, there is none of number {place}")
        values: dict[str, Value] = {}
        for tree in reversed(self._trees):
            place, within = divmod(place, tree.size)
            values |= tree.point(within)
        return {name: values[name] for name in self._space.searched if name in values}


class _Tree:
    """The points of parameters that conditions join, each after those its condition names."""

    def __init__(self, space: SearchSpace, names: Sequence[str]) -> None:
        self._names = names
        self._space = space
        self._axes = [_axis(name, space.parameters[name]) for name in names]
        whens = [space.parameters[name].when for name in names]
        self._runs = [
            _runs(axis, {_kind(value) for when in whens for value in when.get(name, ())})
            for name, axis in zip(names, self._axes, strict=True)
        ]
        # What is still to be known of earlier parameters when the i-th is reached: what conditions from there on name.
        self._needed = [frozenset(o for when in whens[i:] for o in when) for i in range(len(names) + 1)]
        self._counts: dict[tuple[int, _Seen], int] = {}
        self.size = self._count(0, ())

    def _count(self, i: int, seen: _Seen) -> int:
        """How many ways there are to fill the parameters from the i-th on."""
        if i == len(self._names):
            return 1
        key = i, seen
        if key not in self._counts:
            if self._is_active(i, seen):
                self._counts[key] = sum(
                    run.length * self._count(i + 1, self._look(i, run, seen)) for run in self._runs[i]
                )
            else:
                self._counts[key] = self._count(i + 1, self._look(i, None, seen))
        return self._counts[key]

    def _is_active(self, i: int, seen: _Seen) -> bool:
        """Whether the i-th parameter counts, given what was seen of those before it."""
        known = dict(seen)
        when = self._space.parameters[self._names[i]].when
        return all(
            any(known.get(other) == _kind(value) for value in values) for other, values in when.items()
        )

    def _look(self, i: int, run: _Run | None, seen: _Seen) -> _Seen:
        """What the parameters after the i-th can see, when it takes a value of that run (None: is inactive)."""
        name, needed = self._names[i], self._needed[i + 1]
        kept = tuple(entry for entry in seen if entry[0] in needed)
        return (*kept, (name, run.named)) if run is not None and name in needed else kept

    def point(self, place: int) -> dict[str, Value]:
        """The values of the active searched parameters at a place."""
        values: dict[str, Value] = {}
        seen: _Seen = ()
        for i, name in enumerate(self._names):
            run = None
            if self._is_active(i, seen):
                run, step, place = self._descend(i, seen, place)
                if not isinstance(self._space.parameters[name], Fixed):
                    values[name] = self._axes[i][run.first + step]
            seen = self._look(i, run, seen)
        return values

    def _descend(self, i: int, seen: _Seen, place: int) -> tuple[_Run, int, int]:
        """Where the i-th parameter is at a place: its run, its step in it, and the place in what is below."""
        for run in self._runs[i]:
            below = self._count(i + 1, self._look(i, run, seen))
            if place < run.length * below:
                return run, *divmod(place, below)
            place -= run.length * below
        raise IndexError(place)


def grid_size(space: SearchSpace) -> int:
    """How many points the grid of a space has. Raises SpecError when a parameter has no end of them.

    >>> from hpo.space import Choice, Range
    >>> grid_size(SearchSpace({"a": Choice(choices=(1, 2)), "b": Range(low=0, high=1, step=0.25)}))
    10
    """
    return Grid(space).size


def _joined(space: SearchSpace) -> list[list[str]]:
    """The parameters in groups that no condition joins, groups by their first parameter of the study file."""
    group_of: dict[str, list[str]] = {name: [name] for name in space.parameters}
    for name, parameter in space.parameters.items():
        for other in parameter.when:
            mine, its = group_of[name], group_of[other]
            if mine is not its:
                its += mine
                group_of |= dict.fromkeys(mine, its)
    order = {name: place for place, name in enumerate(space.in_order())}
    groups = {id(group): group for group in group_of.values()}
    written = {name: place for place, name in enumerate(space.parameters)}
    by_first = sorted(groups.values(), key=lambda group: min(written[name] for name in group))
    return [sorted(group, key=order.__getitem__) for group in by_first]


def _axis(name: str, parameter: Parameter) -> Sequence[Value]:
    """The points of a parameter; one for a fixed one."""
    if isinstance(parameter, Fixed):
        return (parameter.value,)
    if parameter.n_points() is None:
        raise SpecError(
            "a grid needs num or step on a float range; write num: 5", field=f"parameters.{name}.num"
        )
    return parameter.points()


def _runs(axis: Sequence[Value], named: Set[_Kind]) -> list[_Run]:
    """An axis cut where conditions tell its points apart; an axis that none names is one run."""
    if not named:
        return [_Run(_OTHER, 0, len(axis))]
    runs: list[_Run] = []
    for place, value in enumerate(axis):
        if _kind(value) in named:
            runs.append(_Run(_kind(value), place, 1))
        elif runs and runs[-1].named is _OTHER:
            runs[-1] = _Run(_OTHER, runs[-1].first, runs[-1].length + 1)
        else:
            runs.append(_Run(_OTHER, place, 1))
    return runs


def _kind(value: Value) -> _Kind:
    return type(value), value
