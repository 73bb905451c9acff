"""The heat map: the best value per cell as by hand, empty cells empty, in decades where a parameter is log."""

import numpy as np
import pytest

from hpo.figures import heatmap
from hpo.figures.columns import Objective, Trials
from hpo.space import Choice, Range
from hpo.study import Direction

LEARNING_RATE = Range(low=1e-6, high=1e-3, log=True)
L2 = Range(low=1e-5, high=1e5, log=True)


def trials_of(params, values, *, direction=Direction.MAXIMIZE, states=None, **parameters):
    return Trials(
        objectives=(Objective(metric="accuracy", direction=direction),),
        numbers=np.arange(len(values)),
        states=states or ["COMPLETE"] * len(values),
        values=np.array(values, dtype=float)[:, None],
        parameters=parameters or {"l2": L2, "learning_rate": LEARNING_RATE},
        params={name: np.array(column, dtype=float) for name, column in params.items()},
    )


def test_the_sides_are_those_of_the_course_and_few_values_have_a_cell_each():
    record = heatmap.data(
        trials_of(
            {"learning_rate": [1e-5, 1e-5, 1e-4, 1e-4, 1e-5], "l2": [1.0, 1.0, 1.0, 100.0, 1.0]},
            [0.2, 0.5, 0.3, 0.4, 0.5],
        )
    )

    assert (record.x.name, record.y.name) == ("learning_rate", "l2")
    assert record.x.log
    assert record.y.log
    np.testing.assert_array_equal(record.values, [[0.5, 0.3], [np.nan, 0.4]])
    np.testing.assert_array_equal(record.numbers, [[1, 2], [-1, 3]])
    np.testing.assert_array_equal(record.counts, [[3, 1], [0, 1]])
    np.testing.assert_allclose(record.x_edges, 10 ** np.array([-5.5, -4.5, -3.5]))


def test_the_best_of_a_cell_is_the_smallest_when_small_is_good():
    columns = {"learning_rate": [1e-5, 1e-5], "l2": [1.0, 1.0]}

    record = heatmap.data(trials_of(columns, [0.2, 0.5], direction=Direction.MINIMIZE))

    assert record.values.tolist() == [[0.2]]


@pytest.mark.parametrize("direction", Direction)
def test_many_values_fall_into_cells_as_numpy_counts_them(direction):
    drawn = np.random.default_rng(1)
    rate, l2, values = (
        10 ** drawn.uniform(-6, -3, 500),
        10 ** drawn.uniform(-5, 5, 500),
        drawn.normal(size=500),
    )

    record = heatmap.data(trials_of({"learning_rate": rate, "l2": l2}, values, direction=direction))

    bins = [np.log10(record.y_edges), np.log10(record.x_edges)]
    counts, _, _ = np.histogram2d(np.log10(l2), np.log10(rate), bins=bins)
    np.testing.assert_array_equal(record.counts, counts)
    assert np.isnan(record.values[record.counts == 0]).all()
    np.testing.assert_array_equal(values[record.numbers[record.counts > 0]], record.values[record.counts > 0])
    best = max if direction is Direction.MAXIMIZE else min
    middle = (record.x_edges[5] <= rate) & (rate < record.x_edges[6])
    middle &= (record.y_edges[5] <= l2) & (l2 < record.y_edges[6])
    assert record.values[5, 5] == best(values[middle])


def test_pruned_failed_and_inactive_trials_fill_no_cell():
    record = heatmap.data(
        trials_of(
            {"learning_rate": [1e-5, 1e-4, 1e-3, 1e-5], "l2": [1.0, 1.0, np.nan, 1.0]},
            [0.9, 0.9, 0.9, 0.1],
            states=["PRUNED", "FAIL", "COMPLETE", "COMPLETE"],
        )
    )

    assert record.values.tolist() == [[0.1]]


def test_choices_have_a_cell_each_also_those_never_tried():
    record = heatmap.data(
        trials_of(
            {"optimizer": [2.0, 0.0], "dropout": [0.1, 0.1]},
            [0.5, 0.6],
            optimizer=Choice(choices=("sgd", "adam", "rmsprop")),
            dropout=Range(low=0.0, high=0.5),
        ),
        x="optimizer",
    )

    assert record.x.choices == ("sgd", "adam", "rmsprop")
    np.testing.assert_array_equal(record.values, [[0.6, np.nan, 0.5]])


def test_a_side_that_is_not_searched_is_an_error():
    with pytest.raises(KeyError, match="momentum"):
        heatmap.data(trials_of({"learning_rate": [], "l2": []}, []), x="momentum")
