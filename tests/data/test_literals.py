"""Texts that are numbers, one by one and all at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.literals import parse_dates, parse_numbers, parse_plain_numbers

TEXTS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from([".5", "5.", "+3", "1e5", "NA", "", "1_0", "0x1", "1e", "inf", "1\n2", "٣", " 1"]),
    st.text(alphabet="0123456789.e+-\n", max_size=5),
)


@given(st.lists(TEXTS, max_size=8))
def test_all_at_once_is_what_one_by_one_is(levels):
    values, is_number = parse_numbers(levels)

    at_once = parse_plain_numbers(levels, missing=set())

    if at_once is None:
        assert not is_number.all() or "inf" in levels
    else:
        assert is_number.all()
        assert np.array_equal(at_once, values)


@pytest.mark.parametrize("text", ["1_0", "0x1", "1e", "e5", "1.2.3", "٣", "--1", "1 000", "nan", ""])
def test_what_only_looks_like_a_number_is_none(text):
    assert not parse_numbers([text])[1].any()
    assert parse_plain_numbers([text], missing=set()) is None


@pytest.mark.parametrize(
    "levels", [[], ["2020"], ["2020-13-01"], ["2020-01-01", "soon"], ["01.02.2020", "2020-01-02"]]
)
def test_what_is_not_all_dates_of_one_form_is_none(levels):
    assert parse_dates(levels) is None
