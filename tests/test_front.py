"""The Pareto front is Optuna's, whatever the directions, with ties and equal points."""

import itertools
import random

import numpy as np
import pytest
from optuna.study._multi_objective import _is_pareto_front

from hpo.front import pareto_front
from hpo.study import Direction


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
@pytest.mark.parametrize("n_levels", [4, 1000])
def test_the_front_is_optunas(n_objectives: int, n_levels: int):
    drawn = random.Random(n_objectives)
    points = [[drawn.randrange(n_levels) for _ in range(n_objectives)] for _ in range(300)]

    for directions in itertools.product(Direction, repeat=n_objectives):
        losses = np.array(points, dtype=float) * [direction.sign for direction in directions]
        expected = np.flatnonzero(_is_pareto_front(losses, assume_unique_lexsorted=False))

        assert sorted(pareto_front(points, directions)) == expected.tolist()


def test_the_front_is_by_the_first_objective_then_the_next_then_place():
    points = [(1.0, 5.0, 2.0), (0.0, 9.0, 1.0), (0.0, 9.0, 1.0), (0.0, 8.0, 2.0), (0.0, 9.0, 2.0)]

    assert pareto_front(points, [Direction.MINIMIZE] * 3) == [3, 1, 2, 0]


def test_nothing_has_no_front():
    assert pareto_front([], [Direction.MINIMIZE, Direction.MAXIMIZE]) == []
