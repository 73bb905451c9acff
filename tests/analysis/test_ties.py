"""Settings that cannot be told apart, judged as scipy would judge them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpo.analysis.ties import Judge, quantile

VALUES = st.floats(0.5, 1.0)
ERRORS = st.floats(0.001, 0.2)


@given(VALUES, VALUES, ERRORS, ERRORS, st.integers(2, 100))
def test_means_with_standard_errors_are_judged_by_welchs_test(a, b, error_a, error_b, lanes):
    found = stats.ttest_ind_from_stats(
        a, error_a * math.sqrt(lanes), lanes, b, error_b * math.sqrt(lanes), lanes, equal_var=False
    )

    tied = Judge(lanes=lanes).tied((a, error_a), (b, error_b))

    # Degrees between two of the table count as the lower: near the line a tie is the cautious answer.
    if not 0.02 < found.pvalue < 0.06:
        assert tied is bool(found.pvalue > 0.05)
    if found.pvalue > 0.0501:
        assert tied is True


@pytest.mark.parametrize("freedom", [*range(1, 31), 40, 60, 120, 1000])
def test_the_quantile_is_students_or_a_little_more(freedom):
    exact = stats.t.ppf(0.975, freedom)

    assert exact - 0.0006 <= quantile(freedom) <= exact + 0.0225
    assert freedom > 30 or quantile(freedom) == pytest.approx(exact, abs=0.0006)


@given(st.integers(20, 2000), st.data())
def test_shares_of_right_answers_are_judged_with_one_of_each_added(n, data):
    first = data.draw(st.integers(0, n))
    near = math.ceil(3 * math.sqrt(n))  # about where the line runs
    right = [first, data.draw(st.integers(max(0, first - near), min(n, first + near)))]
    successes = [x + 1 for x in right]

    tied = Judge(lanes=1, rows=n).tied((right[0] / n, None), (right[1] / n, None))

    p, q = (x / (n + 2) for x in successes)
    z = stats.norm(0, math.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (n + 2)))
    assert (
        tied is bool(2 * z.sf(abs(p - q)) >= 2 * stats.norm.sf(1.96))
        or abs(abs(p - q) / z.std() - 1.96) < 1e-9
    )


def test_ten_right_answers_in_360_are_within_chance_and_thirty_are_not():
    judge = Judge(lanes=1, rows=360)

    assert judge.tied((350 / 360, None), (345 / 360, None)) is True
    assert judge.tied((350 / 360, None), (320 / 360, None)) is False


def test_all_of_twenty_rows_right_is_within_chance_of_seventeen():
    # Without one answer of each added, a perfect share would have no error at all and the two would be told apart.
    assert Judge(lanes=1, rows=20).tied((1.0, None), (0.85, None)) is True


def test_lanes_that_all_gave_the_same_are_tied_only_with_their_equals():
    assert Judge(lanes=3).tied((0.9, 0.0), (0.9, 0.0)) is True
    assert Judge(lanes=3).tied((0.9, 0.0), (0.8, 0.0)) is False


@pytest.mark.parametrize(
    ("judge", "error"),
    [(Judge(lanes=1), None), (Judge(lanes=3), None), (Judge(lanes=3, rows=90), None)],
)
def test_where_nothing_is_known_of_chance_nothing_is_said(judge, error):
    assert judge.tied((0.9, error), (0.5, error)) is None
