"""Fewer points: the best, the extremes, the ends and the outline stay, however many there were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.figures import history
from hpo.figures.columns import Objective, Trials
from hpo.figures.sampling import MOST, best_place, outline, ranks
from hpo.study import Direction

numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=200)


@given(numbers, st.integers(5, 40), st.data())
def test_an_outline_is_small_and_has_lowest_highest_first_last_and_kept(values, most, data):
    values = np.array(values, dtype=float)
    finite = np.flatnonzero(np.isfinite(values))
    keep = [data.draw(st.sampled_from(finite.tolist()))] if len(finite) else []

    places = outline(values, most, keep)

    assert len(places) <= most
    assert sorted(set(places.tolist())) == places.tolist()
    assert np.isfinite(values[places]).all()
    if len(finite):
        assert {finite[0], finite[-1], *keep} <= set(places.tolist())
        assert values[places].min() == values[finite].min()
        assert values[places].max() == values[finite].max()


@given(numbers, st.integers(3, 40))
def test_ranks_go_from_the_lowest_to_the_highest(values, most):
    values = np.array(values, dtype=float)
    finite = values[np.isfinite(values)]

    places = ranks(values, most)

    assert len(places) <= most
    assert len(places) == min(most, len(finite))
    if len(finite):
        assert (values[places].min(), values[places].max()) == (finite.min(), finite.max())


def test_the_best_is_the_first_of_equals_and_always_finite():
    values = np.array([np.nan, 3.0, 1.0, 1.0, 5.0, 5.0, np.inf, -np.inf])

    assert best_place(values, 1) == 2
    assert best_place(values, -1) == 4
    assert best_place(np.array([np.nan]), 1) is None


@pytest.mark.parametrize("direction", Direction)
def test_a_history_of_100000_trials_is_small_and_its_best_so_far_exact(direction):
    n = 100_000
    values = np.random.default_rng(0).normal(size=n)
    record = history.data(
        Trials(
            objectives=(Objective(metric="rmse", direction=direction),),
            numbers=np.arange(n),
            states=["COMPLETE"] * n,
            values=values[:, None],
        )
    )

    assert len(record.numbers) <= MOST
    expected = (np.minimum if direction is Direction.MINIMIZE else np.maximum).accumulate(values)
    np.testing.assert_array_equal(record.best_values, expected[record.best_numbers])
    improvements = np.flatnonzero(np.diff(expected, prepend=np.nan) != 0)
    assert record.best_numbers.tolist() == sorted({*improvements.tolist(), n - 1})
    assert "of 100,000 trials" in record.title
    best = improvements[-1]
    assert values[best] == record.values[record.numbers == best][0]
