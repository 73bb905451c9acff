"""The search space: ranges, choices, conditions, grid points, and what Optuna would say of them."""

from __future__ import annotations

import itertools
import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from hpo.errors import SpecError
from hpo.space import MAX_TEXT, Choice, Fixed, Range, SearchSpace

FINITE = st.floats(-1e6, 1e6, allow_nan=False)
POSITIVE = st.floats(1e-12, 1e6, allow_nan=False)
VALUES = st.one_of(st.booleans(), st.integers(-99, 99), st.floats(-9, 9), st.text(max_size=5), st.none())


@st.composite
def float_ranges(draw):
    log = draw(st.booleans())
    ends = sorted((draw(POSITIVE if log else FINITE), draw(POSITIVE if log else FINITE)))
    step = None if log else draw(st.none() | st.floats(1e-3, 1e5))
    return Range(low=ends[0], high=ends[1], log=log, step=step, type="float")


@st.composite
def int_ranges(draw):
    log = draw(st.booleans())
    ends = sorted(draw(st.integers(1 if log else -10_000, 10_000)) for _ in range(2))
    step = None if log else draw(st.none() | st.integers(1, 500))
    return Range(low=ends[0], high=ends[1], log=log, step=step, type="int")


def optunas(parameter):
    """The distribution of the same arguments, made by Optuna's own classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(parameter, Choice):
            return CategoricalDistribution(parameter.choices)
        if parameter.is_int:
            low, high, step = int(parameter.low), int(parameter.high), int(parameter.step or 1)
            return IntDistribution(low, high, log=parameter.log, step=step)
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


@given(float_ranges() | int_ranges())
def test_a_range_is_written_as_optuna_writes_it(parameter):
    assert parameter.distribution_json() == distribution_to_json(optunas(parameter))


@given(st.lists(VALUES, min_size=1, unique_by=lambda v: (type(v), v)))
def test_choices_are_written_as_optuna_writes_them(choices):
    parameter = Choice(choices=tuple(choices))

    assert parameter.distribution_json() == distribution_to_json(optunas(parameter))


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(float_ranges() | int_ranges(), st.data())
def test_a_value_of_a_range_goes_through_optunas_table_and_comes_back(parameter, data):
    distribution = json_to_distribution(parameter.distribution_json())
    if parameter.is_int:
        value = data.draw(st.integers(int(parameter.low), int(parameter.high)))
    else:
        value = data.draw(st.floats(parameter.low, parameter.high))

    internal = parameter.internal(value)

    assert internal == distribution.to_internal_repr(value)
    assert parameter.external(internal) == distribution.to_external_repr(internal) == value
    assert type(parameter.external(internal)) is type(value)


@given(st.lists(st.text(max_size=5), min_size=1, unique=True), st.data())
def test_a_choice_goes_through_optunas_table_and_comes_back(choices, data):
    parameter, distribution = Choice(choices=tuple(choices)), CategoricalDistribution(choices)
    value = data.draw(st.sampled_from(choices))

    internal = parameter.internal(value)

    assert internal == distribution.to_internal_repr(value)
    assert parameter.external(internal) == distribution.to_external_repr(internal) == value


def test_true_and_one_and_one_point_oh_are_three_choices():
    parameter = Choice(choices=(True, 1, 1.0))

    assert [parameter.internal(value) for value in (True, 1, 1.0)] == [0.0, 1.0, 2.0]


@given(float_ranges() | int_ranges())
def test_every_grid_point_lies_in_the_range_and_they_ascend(parameter):
    if parameter.n_points() is None or parameter.n_points() > 10_000:
        return

    points = list(parameter.points())

    assert len(points) == parameter.n_points()
    assert all(parameter.contains(point) for point in points)
    assert points == sorted(set(points))
    assert points[0] == parameter.low


def test_steps_are_the_decimals_a_person_would_write():
    parameter = Range(low=0.0, high=0.7, step=0.1, type="float")

    assert list(parameter.points()) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_log_spaced_points_have_exact_ends_and_equal_ratios():
    points = Range(low=1e-4, high=1e-1, log=True, num=7, type="float").points()

    assert (points[0], points[-1], len(points)) == (1e-4, 1e-1, 7)
    ratios = [b / a for a, b in itertools.pairwise(points)]
    assert ratios == pytest.approx([10**0.5] * 6)


def test_whole_numbers_spaced_over_a_log_range_stand_once_each():
    points = Range(low=1, high=8, log=True, num=20, type="int").points()

    assert points == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_float_range_without_num_or_step_has_no_grid():
    parameter = Range(low=0.0, high=1.0, type="float")

    assert parameter.n_points() is None
    with pytest.raises(SpecError) as caught:
        parameter.points()
    assert caught.value.field == "num"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"low": 0.0, "high": 1.0, "log": True}, "low"),
        ({"low": 2.0, "high": 1.0}, "high"),
        ({"low": 0.0, "high": 1.0, "step": 0.0}, "step"),
        ({"low": 1.0, "high": 2.0, "step": 0.1, "log": True}, "step"),
        ({"low": 1.0, "high": 2.0, "step": 0.1, "num": 3}, "num"),
        ({"low": 1.0, "high": 2.0, "num": 0}, "num"),
        ({"low": 1.5, "high": 2.0, "type": "int"}, "low"),
        ({"low": -1.7e308, "high": 1.7e308}, "high"),
        ({"low": 0.0, "high": 1e30, "step": 1.0}, "step"),
    ],
)
def test_a_range_that_cannot_be_is_refused_at_its_field(arguments, field):
    with pytest.raises(SpecError) as caught:
        Range(**arguments)

    assert caught.value.field == field


def test_a_choice_that_stands_twice_is_refused():
    with pytest.raises(SpecError, match="twice"):
        Choice(choices=("adam", "sgd", "adam"))


def test_conditions_must_name_a_parameter_and_a_value_it_can_have():
    optimizer = Choice(choices=("sgd", "adam"))

    for when, sentence in (
        ({"optimiser": ("sgd",)}, "no parameter"),
        ({"optimizer": ("rmsprop",)}, "never 'rmsprop'"),
        ({"optimizer": ()}, "at least one"),
    ):
        with pytest.raises(SpecError, match=sentence) as caught:
            SearchSpace({"optimizer": optimizer, "momentum": Range(low=0, high=0.9, when=when)})
        assert caught.value.field == f"momentum.when.{next(iter(when))}"


def test_a_circle_of_conditions_is_refused():
    with pytest.raises(SpecError, match="depends on itself"):
        SearchSpace(
            {
                "a": Choice(choices=(1, 2), when={"b": (1,)}),
                "b": Choice(choices=(1, 2), when={"a": (1,)}),
            }
        )


def test_two_ways_to_the_same_condition_are_no_circle():
    a = Choice(choices=(1, 2))
    b = Choice(choices=(1, 2), when={"a": (1,)})
    c = Choice(choices=(1, 2), when={"a": (1,), "b": (1,)})

    assert SearchSpace({"c": c, "b": b, "a": a}).in_order() == ["a", "b", "c"]


def test_a_parameter_counts_only_where_its_condition_holds():
    space = SearchSpace(
        {
            "momentum": Range(low=0.0, high=0.9, when={"optimizer": ("momentum",)}),
            "optimizer": Choice(choices=("sgd", "momentum")),
            "layers": Fixed(value=2),
        }
    )

    assert space.in_order() == ["optimizer", "momentum", "layers"]
    assert space.is_active("momentum", {"optimizer": "momentum"})
    assert not space.is_active("momentum", {"optimizer": "sgd"})
    assert not space.is_active("momentum", {})
    assert (list(space.searched), space.fixed) == (["momentum", "optimizer"], {"layers": 2})


def test_untyped_ranges_take_the_kind_of_their_hyperparameter():
    space = SearchSpace(
        {
            "hidden_units": Range(low=1, high=9),
            "dropout": Range(low=0, high=0.5),
            "x": Range(low=0, high=1, type="int"),
        }
    )

    types = {
        n: p.type for n, p in space.with_types({"hidden_units": "int", "dropout": "float"}).searched.items()
    }

    assert types == {"hidden_units": "int", "dropout": "float", "x": "int"}


def test_a_range_holds_numbers_only():
    parameter = Range(low=0, high=4, type="int")

    assert [parameter.contains(v) for v in (0, 4, 5, 1.5, 2.0, True, "1", None, math.nan)] == [
        True, True, False, False, True, False, False, False, False,
    ]  # fmt: skip


def test_the_texts_of_one_setting_are_bounded_together():
    half = MAX_TEXT // 2
    SearchSpace(
        {"a": Choice(choices=("x" * half, "y")), "b": Fixed(value="z" * half), "c": Fixed(value=10**9)}
    )

    with pytest.raises(SpecError, match=r"16,384 characters together, here up to 16,385") as caught:
        SearchSpace({"a": Choice(choices=("y", "x" * (half + 1))), "b": Fixed(value="z" * half)})

    assert caught.value.field == "a"
