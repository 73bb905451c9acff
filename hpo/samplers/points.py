"""How many points a grid has; apart from the sampler, so that counting does not load Optuna."""

from __future__ import annotations

import math

from hpo.errors import SpecError
from hpo.space import SearchSpace


def grid_size(space: SearchSpace) -> int:
    """How many points the grid of a space has. Raises SpecError when a parameter has no end of them.

    >>> from hpo.space import Choice, Range
    >>> grid_size(SearchSpace({"a": Choice(choices=(1, 2)), "b": Range(low=0, high=1, step=0.25)}))
    10
    """
    sizes = []
    for name, parameter in space.searched.items():
        n_points = parameter.n_points()
        if n_points is None:
            raise SpecError(
                "a grid needs num or step on a float range; write num: 5", field=f"parameters.{name}.num"
            )
        sizes.append(n_points)
    return math.prod(sizes)
