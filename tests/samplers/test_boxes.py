"""The next box is spanned by the best, with a margin, inside the range; bad choices go when that is sure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from hpo.samplers.boxes import Known, Ranges, at_most, best_of

UNIT = FloatDistribution(0.0, 1.0)
RATE = FloatDistribution(1e-6, 1e-2, log=True)


def step(written, values, *, reach=None, before=None, n_best=5, scores=None):
    """The step from trials of one parameter, the first values the best unless scores say otherwise."""
    known = [Known(float(i) if scores is None else scores[i], {"x": value}) for i, value in enumerate(values)]
    ranges = Ranges(written={"x": written}, reach={"x": reach or written})
    return ranges.next_box({"x": before or written}, known, n_best)


def ends(found):
    return found.box["x"].low, found.box["x"].high


def test_the_best_span_the_box_with_a_mean_gap_on_either_side():
    found = step(UNIT, [0.4, 0.5, 0.45, 0.6, 0.55, 0.01, 0.99])

    assert ends(found) == pytest.approx((0.35, 0.65))
    assert (found.n_best, found.n_known, found.edges) == (5, 7, ())


def test_a_log_range_is_spanned_in_decades():
    found = step(RATE, [1e-5, 1e-4, 10**-4.5, 1e-4, 1e-5])

    assert ends(found) == pytest.approx((10**-5.25, 10**-3.75))
    assert found.box["x"].log


def test_the_margin_puts_the_ends_where_those_of_even_draws_are_to_be_expected():
    draws = np.random.default_rng(0).uniform(0.3, 0.6, (4000, 6))

    found = np.array([ends(step(UNIT, list(map(float, row)), n_best=6)) for row in draws])

    assert found.mean(axis=0) == pytest.approx((0.3, 0.6), abs=3e-3)


@given(
    st.lists(st.floats(0, 1), min_size=5, max_size=30),
    st.sampled_from(
        [FloatDistribution(0, 1), FloatDistribution(0.2, 0.9), FloatDistribution(0, 1, step=0.1)]
    ),
)
def test_a_box_never_leaves_the_written_range_and_holds_the_best(values, written):
    values = [v for v in values if written._contains(v)]
    if written.step is not None:
        values = [round(round(v, 1), 1) for v in values]
    found = step(written, values)

    low, high = ends(found)
    assert written.low <= low <= high <= written.high
    assert all(low <= value <= high or math.isclose(value, low) for value in values[:5] if len(values) >= 5)


def test_all_that_tie_with_the_last_of_the_best_count_as_best():
    found = step(UNIT, [0.1, 0.2, 0.3, 0.4, 0.5, 0.9], scores=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], n_best=2)

    assert found.n_best == 6


def test_trials_that_diverged_are_never_among_the_best():
    known = [Known(math.inf, {}), Known(1.0, {}), Known(math.inf, {})]

    assert best_of(known, 3) == [known[1]]


def test_three_good_values_are_too_few_to_narrow_a_range():
    assert step(UNIT, [0.5, 0.51, 0.52]).box["x"] == UNIT


def test_trials_that_lack_a_parameter_say_nothing_of_it():
    ranges = Ranges(written={"x": UNIT}, reach={"x": UNIT})

    found = ranges.next_box({"x": UNIT}, [Known(float(i), {"y": 1}) for i in range(9)], 5)

    assert found.box["x"] == UNIT


@pytest.mark.parametrize(
    ("written", "values", "expected"),
    [
        (IntDistribution(1, 100), [40, 42, 44, 46, 48], (38, 50)),
        (IntDistribution(1, 9), [3, 3, 3, 3, 3], (2, 4)),
        (IntDistribution(0, 100, step=10), [40, 40, 50, 40, 50], (30, 60)),
        (IntDistribution(16, 256, log=True), [32, 64, 48, 40, 64], (26, 77)),
        (FloatDistribution(0.0, 0.9, step=0.1), [0.2, 0.3, 0.2, 0.3, 0.2], (0.1, 0.4)),
        (FloatDistribution(0.0, 0.9, step=0.1), [0.8, 0.9, 0.8, 0.9, 0.8], (0.7, 0.9)),
    ],
)
def test_whole_numbers_and_steps_keep_a_step_beyond_the_best(written, values, expected):
    found = step(written, values)

    assert ends(found) == pytest.approx(expected)
    assert found.box["x"].step == written.step


def test_an_earlier_box_may_grow_again_inside_the_written_range():
    found = step(UNIT, [0.4, 0.5, 0.6, 0.3, 0.7], before=FloatDistribution(0.45, 0.55))

    assert ends(found) == pytest.approx((0.2, 0.8))


# Ends of ranges


def test_the_best_that_crowd_at_an_end_are_an_edge():
    found = step(RATE, [1e-2, 8e-3, 5e-3, 9e-3, 4e-3])

    [edge] = found.edges
    assert (edge.name, edge.end, edge.at, edge.passed) == ("x", "high", 1e-2, False)
    assert ends(found)[1] == 1e-2


def test_with_a_longer_reach_the_box_goes_beyond_an_edge_by_its_own_width():
    found = step(RATE, [1e-2, 1e-3, 5e-3, 9e-3, 4e-3], reach=FloatDistribution(1e-7, 1e-1, log=True))

    assert found.edges[0].passed
    assert ends(found)[1] == pytest.approx(1e-1)
    narrow = step(RATE, [1e-2, 5e-3, 6e-3, 9e-3, 7e-3], reach=FloatDistribution(1e-7, 1e-1, log=True))
    assert ends(narrow)[1] == pytest.approx(2e-2)


def test_a_box_that_went_beyond_the_range_goes_no_further_than_its_reach():
    reach = FloatDistribution(1e-7, 1e-1, log=True)

    found = step(
        RATE, [9e-2, 8e-2, 5e-2, 9e-2, 4e-2], reach=reach, before=FloatDistribution(1e-3, 1e-1, log=True)
    )

    assert ends(found)[1] == 1e-1
    assert [(edge.at, edge.passed) for edge in found.edges] == [(1e-1, False)]


def test_without_an_edge_a_longer_reach_changes_nothing():
    values = [0.4, 0.5, 0.45, 0.6, 0.55]

    assert step(UNIT, values, reach=FloatDistribution(-1.0, 2.0)).box == step(UNIT, values).box


@pytest.mark.parametrize("written", [UNIT, IntDistribution(1, 3), IntDistribution(0, 9)])
def test_a_parameter_that_does_not_matter_seldom_has_an_edge(written):
    random = np.random.default_rng(1)

    def draws():
        if isinstance(written, IntDistribution):
            return random.integers(written.low, written.high + 1, 7).tolist()
        return random.random(7).tolist()

    n_edges = sum(len(step(written, draws(), n_best=7).edges) for _ in range(2000))

    assert n_edges / 2000 < 0.13  # 5 % at either end


# Choices

OPTIMIZERS = CategoricalDistribution(["sgd", "adam", "rmsprop"])


def test_a_choice_that_none_of_many_good_trials_has_is_dropped():
    values = ["adam", "rmsprop"] * 5 + ["sgd"] * 10 + ["adam", "rmsprop"] * 5

    found = step(OPTIMIZERS, values, n_best=8)

    assert found.box["x"].choices == ("adam", "rmsprop")
    assert found.dropped == {"x": ("sgd",)}


def test_few_trials_are_no_evidence_against_a_choice():
    found = step(OPTIMIZERS, ["adam", "rmsprop", "adam", "rmsprop", "adam", "sgd", "sgd"], n_best=3)

    assert (found.box["x"], dict(found.dropped)) == (OPTIMIZERS, {})


def test_the_choice_of_the_best_trial_stays_though_it_is_rare_among_the_best():
    values = ["sgd"] + ["adam"] * 11 + ["sgd"] * 20

    assert "sgd" in step(OPTIMIZERS, values, n_best=12).box["x"].choices


def test_one_choice_at_least_stays():
    found = step(OPTIMIZERS, ["adam"] * 10 + ["sgd"] * 10 + ["rmsprop"] * 10, n_best=10)

    assert found.box["x"].choices == ("adam",)


def test_a_dropped_choice_does_not_come_back():
    before = CategoricalDistribution(["adam", "rmsprop"])

    found = step(OPTIMIZERS, ["sgd", "adam", "rmsprop", "adam", "rmsprop"], before=before)

    assert found.box["x"] == before


def test_true_and_one_are_two_choices():
    written = CategoricalDistribution([True, 1, "no"])

    found = step(written, [True] * 10 + [1] * 10 + ["no"] * 10, n_best=10)

    assert [type(choice) for choice in found.box["x"].choices] == [bool]


@pytest.mark.parametrize(
    ("found", "drawn", "marked", "total"), [(0, 5, 10, 33), (2, 9, 12, 40), (3, 5, 3, 9)]
)
def test_the_chance_is_scipys_hypergeometric(found, drawn, marked, total):
    assert at_most(found, drawn, marked, total) == pytest.approx(
        stats.hypergeom(total, marked, drawn).cdf(found)
    )
