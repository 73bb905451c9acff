"""Who takes over from whom, and what becomes of the hyperparameters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.evolution import Evolution
from hpo.pruners.population import default_every, default_size, drawn, movable, moved, perturbed, sources
from hpo.space import Choice, Fixed, Range, SearchSpace

RATE = Range(low=1e-4, high=1e-1, log=True, type="float")
DROPOUT = Range(low=0.0, high=0.5, type="float")


def evolution_of(space, **rest):
    return Evolution(space=space, settled={}, params={}, **rest)


@st.composite
def ranges(draw):
    whole, log = draw(st.booleans()), draw(st.booleans())
    if whole:
        low, high = sorted(draw(st.integers(1 if log else -1000, 1000)) for _ in range(2))
        step = None if log else draw(st.none() | st.integers(1, 7))
        return Range(low=low, high=high, log=log, step=step, type="int")
    numbers = st.floats(1e-9, 1e6) if log else st.floats(-1e6, 1e6, allow_subnormal=False)
    low, high = sorted(draw(numbers) for _ in range(2))
    step = None if log else draw(st.none() | st.floats(0.01, 10.0))
    return Range(low=low, high=high, log=log, step=step, type="float")


@given(
    ranges(),
    st.floats(0.0, 1.0, exclude_max=True, allow_subnormal=False),
    st.floats(0.01, 0.99) | st.floats(1.01, 100.0),
)
def test_a_perturbed_value_stays_in_its_range_and_moves_the_right_way(range_, share, factor):
    before = drawn(range_, share)

    after = moved(range_, before, factor)

    assert range_.contains(before)
    assert range_.contains(after)
    assert type(after) is type(before) is (int if range_.is_int else float)
    assert after >= before if factor > 1 else after <= before
    if range_.step:
        place = (after - range_.low) / range_.step
        assert after == range_.high or abs(place - round(place)) < 1e-6


@given(ranges())
def test_draws_reach_both_ends_of_a_range_of_whole_numbers(range_):
    if range_.is_int:
        last = int(range_.low) + (int(range_.high) - int(range_.low)) // int(range_.step or 1) * int(
            range_.step or 1
        )
        assert drawn(range_, 0.0) == range_.low
        assert drawn(range_, 1.0 - 2**-53) == last


@pytest.mark.parametrize(
    ("range_", "before", "factor", "after"),
    [
        (RATE, 0.01, 0.8, 0.008),
        (RATE, 0.09, 1.2, 0.1),
        (DROPOUT, 0.2, 1.2, 0.3),
        (DROPOUT, 0.05, 0.8, 0.0),
        (Range(low=1, high=100, log=True, type="int"), 10, 1.2, 12),
        (Range(low=1, high=100, log=True, type="int"), 2, 1.2, 3),
        (Range(low=1, high=100, log=True, type="int"), 2, 0.8, 1),
        (Range(low=0.0, high=1.0, step=0.25, type="float"), 0.5, 0.8, 0.25),
    ],
)
def test_with_log_a_value_is_multiplied_else_it_moves_by_a_share_of_the_range(range_, before, factor, after):
    assert moved(range_, before, factor) == pytest.approx(after)


def test_the_worst_share_takes_over_from_the_best_share():
    values = {number: float(number) for number in range(20)}
    evolution = evolution_of(SearchSpace({}), quantile=0.25)

    small, large = (sources(values, sign, evolution, 3) for sign in (1, -1))

    assert list(small) == [15, 16, 17, 18, 19]
    assert list(large) == [0, 1, 2, 3, 4]
    assert set(small.values()) <= {0, 1, 2, 3, 4}
    assert set(large.values()) <= {15, 16, 17, 18, 19}
    assert len(set(small.values())) > 1


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ({}, {}),
        ({4: 1.0}, {}),
        ({4: 1.0, 9: 2.0}, {9: 4}),
        ({4: 2.0, 9: 1.0, 11: 1.5}, {4: 9}),
        ({4: 1.0, 9: 1.0}, {}),
        ({4: math.nan, 9: math.inf, 11: 3.0}, {9: 11}),
    ],
)
def test_small_populations_and_equal_or_undefined_values(values, pairs):
    assert sources(values, 1, evolution_of(SearchSpace({}), quantile=0.2), 1) == pairs


def test_a_draw_depends_on_seed_trial_generation_and_name_only():
    one = SearchSpace({"learning_rate": RATE})
    more = SearchSpace({"dropout": DROPOUT, "learning_rate": RATE, "l2": RATE})
    start = {"learning_rate": 0.01, "dropout": 0.2, "l2": 0.02}

    def rate(space, seed=0, number=3, generation=2):
        params = {name: start[name] for name in space.parameters}
        return perturbed(params, evolution_of(space, seed=seed, resample=1.0), number, generation)[
            "learning_rate"
        ]

    assert rate(one) == rate(more) == rate(one)
    assert len({rate(one), rate(one, seed=1), rate(one, number=4), rate(one, generation=3)}) == 4


def test_perturbing_goes_up_as_often_as_down_and_resampling_as_often_as_asked():
    space = SearchSpace({"learning_rate": RATE})
    evolution = evolution_of(space, resample=0.25)
    found = [perturbed({"learning_rate": 0.01}, evolution, n, 1)["learning_rate"] for n in range(2000)]

    n_down, n_up = (sum(math.isclose(rate, 0.01 * factor) for rate in found) for factor in (0.8, 1.2))
    assert n_down == pytest.approx(750, abs=80)
    assert n_up == pytest.approx(750, abs=80)
    # What is drawn anew is spread evenly over the three decades.
    anew = [rate for rate in found if not math.isclose(rate, 0.008) and not math.isclose(rate, 0.012)]
    assert sum(rate < 1e-3 for rate in anew) == pytest.approx(len(anew) / 3, abs=50)


def test_what_a_copy_may_not_change_stays_as_it_is():
    space = SearchSpace(
        {
            "optimizer": Choice(choices=("adam", "momentum")),
            "momentum": Range(low=0.8, high=0.99, type="float", when={"optimizer": ("momentum",)}),
            "initializer": Choice(choices=("he_normal", "zeros")),
            "activation": Choice(choices=("relu", "tanh")),
            "skip_norm": Range(low=1.0, high=9.0, type="float", when={"activation": ("relu",)}),
            "dropout": DROPOUT,
            "schedule": Choice(choices=("constant", "step")),
            "decay": Range(low=0.1, high=0.9, type="float", when={"schedule": ("step",)}),
        }
    )

    assert set(movable(space)) == {"momentum", "dropout", "schedule", "decay"}
    params = {
        "optimizer": "adam",
        "initializer": "zeros",
        "activation": "tanh",
        "dropout": 0.1,
        "schedule": "constant",
    }
    for number in range(50):
        found = perturbed(params, evolution_of(space, resample=0.5), number, 1)
        assert [found[name] for name in ("optimizer", "initializer", "activation")] == [
            "adam",
            "zeros",
            "tanh",
        ]
        assert ("decay" in found) is (found["schedule"] == "step")
        assert "momentum" not in found
        assert all(space.parameters[name].contains(value) for name, value in found.items())


def test_a_choice_that_a_shared_setting_depends_on_does_not_move():
    space = SearchSpace(
        {
            "activation": Choice(choices=("relu", "tanh")),
            "batch_norm": Fixed(value=True, when={"activation": ("relu",)}),
        }
    )

    assert movable(space) == {}


def test_defaults_are_one_population_of_a_small_study_and_about_ten_generations():
    assert (default_size(64), default_size(65)) == (64, 64)
    assert (default_every(100), default_every(19), default_every(3)) == (10, 1, 1)
