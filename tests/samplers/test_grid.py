"""Grid search: every point once, by index, without holding the grid."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import SpecError
from hpo.samplers.grid import GridSampler
from hpo.samplers.points import grid_size
from hpo.space import Choice, Fixed, Range, SearchSpace

AXES = st.one_of(
    st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True).map(lambda c: Choice(choices=tuple(c))),
    st.builds(
        lambda low, n: Range(low=low, high=low * 100, log=True, num=n, type="float"),
        st.floats(1e-6, 1),
        st.integers(1, 5),
    ),
    st.builds(lambda low, n: Range(low=low, high=low + n, type="int"), st.integers(-5, 5), st.integers(0, 4)),
    st.builds(lambda n: Range(low=0.0, high=n / 4, step=0.25, type="float"), st.integers(0, 4)),
)


@given(st.lists(AXES, min_size=1, max_size=4))
def test_the_points_are_the_product_of_the_axes_each_once_in_order(axes):
    space = SearchSpace({f"p{i}": axis for i, axis in enumerate(axes)})

    plans = GridSampler(space).ask(0, 10_000)

    expected = [
        dict(zip(space.parameters, point, strict=True))
        for point in itertools.product(*(a.points() for a in axes))
    ]
    assert [plan.params for plan in plans] == expected
    assert [plan.number for plan in plans] == list(range(grid_size(space)))


def big(n_axes=9, n_points=10):
    axis = Range(low=1e-4, high=1e-1, log=True, num=n_points, type="float")
    return SearchSpace({f"p{i}": axis for i in range(n_axes)})


def test_a_billion_points_are_counted_and_indexed_without_being_made():
    sampler = GridSampler(big())

    assert sampler.size == 10**9
    assert sum(sys.getsizeof(axis) for tree in sampler._grid._trees for axis in tree._axes) < 10_000
    axis = list(big().parameters["p0"].points())
    params = sampler.params(987_654_321)
    assert [axis.index(params[f"p{i}"]) for i in range(9)] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert [plan.number for plan in sampler.ask(10**9 - 2, 100)] == [10**9 - 2, 10**9 - 1]
    assert sampler.ask(10**9, 5) == []


@given(st.lists(st.integers(0, 10**9 - 1), min_size=2, max_size=50, unique=True))
def test_different_numbers_of_a_big_grid_are_different_points(numbers):
    sampler = GridSampler(big())

    points = {tuple(sampler.params(number).values()) for number in numbers}

    assert len(points) == len(numbers)


def test_asking_in_parts_gives_every_point_once():
    space = SearchSpace({"a": Choice(choices=tuple(range(7))), "b": Range(low=1, high=11, type="int")})
    sampler = GridSampler(space)

    points = [tuple(p.params.values()) for first in range(0, 77, 10) for p in sampler.ask(first, 10)]

    assert points == list(itertools.product(range(7), range(1, 12)))


def test_a_fixed_parameter_adds_no_points_and_stands_in_no_plan():
    space = SearchSpace({"a": Choice(choices=(1, 2)), "b": Fixed(value=3)})

    assert [plan.params for plan in GridSampler(space).ask(0, 9)] == [{"a": 1}, {"a": 2}]


def test_a_log_range_is_spaced_evenly_in_decades_with_exact_ends():
    space = SearchSpace({"lr": Range(low=1e-4, high=1e-1, log=True, num=4, type="float")})

    values = [plan.params["lr"] for plan in GridSampler(space).ask(0, 9)]

    assert (values[0], values[-1]) == (1e-4, 1e-1)
    assert values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])


def test_a_range_without_an_end_of_points_is_refused_at_its_place():
    space = SearchSpace({"a": Choice(choices=(1, 2)), "lr": Range(low=0.0, high=1.0, type="float")})

    with pytest.raises(SpecError, match="num or step") as caught:
        GridSampler(space)

    assert caught.value.field == "parameters.lr.num"


# Conditions

CONTROLS = st.sampled_from(
    [
        Choice(choices=("a", "b", "c")),
        Choice(choices=(1, True, "1")),
        Range(low=0, high=6, type="int"),
        Fixed(value="a"),
    ]
)


@st.composite
def conditional_spaces(draw):
    """Up to five parameters, most of which count only under some values of one or two before them."""
    parameters = {"p0": draw(CONTROLS)}
    for i in range(1, draw(st.integers(2, 5))):
        when = {}
        for other in draw(st.lists(st.sampled_from(sorted(parameters)), max_size=2, unique=True)):
            control = parameters[other]
            points = [control.value] if isinstance(control, Fixed) else list(control.points())
            when[other] = tuple(draw(st.lists(st.sampled_from(points), min_size=1, max_size=2)))
        parameters[f"p{i}"] = replace(draw(CONTROLS), when=when)
    names = draw(st.permutations(sorted(parameters)))
    return SearchSpace({name: parameters[name] for name in names})


def by_trying_all(space):
    """The points of a space the slow way: every product, without what does not count under it."""
    axes = [
        (name, [p.value] if isinstance(p, Fixed) else list(p.points()))
        for name, p in ((name, space.parameters[name]) for name in space.in_order())
    ]
    points = set()
    for product in itertools.product(*(points for _, points in axes)):
        values = {}
        for (name, _), value in zip(axes, product, strict=True):
            if space.is_active(name, values):
                values[name] = value
        searched = [(name, type(v), v) for name, v in values.items() if name in space.searched]
        points.add(tuple(sorted(searched, key=lambda entry: entry[0])))
    return points


@given(conditional_spaces())
def test_with_conditions_every_point_that_there_is_comes_exactly_once(space):
    sampler = GridSampler(space)

    plans = sampler.ask(0, 100_000)

    points = [
        tuple(sorted(((n, type(v), v) for n, v in plan.params.items()), key=lambda entry: entry[0]))
        for plan in plans
    ]
    assert len(points) == len(set(points)) == sampler.size == grid_size(space)
    assert set(points) == by_trying_all(space)


def test_what_does_not_count_multiplies_nothing_and_stands_in_no_plan():
    decay = Range(low=0, high=1, num=5, type="float", when={"optimizer": ("sgd", "momentum")})
    space = SearchSpace(
        {
            "optimizer": Choice(choices=("sgd", "adam", "momentum")),
            "momentum": Choice(choices=(0.8, 0.9), when={"optimizer": ("momentum",)}),
            "l1": decay,
            "width": Choice(choices=(8, 16)),
        }
    )
    sampler = GridSampler(space)

    plans = sampler.ask(0, 1_000)

    assert sampler.size == (5 + 1 + 2 * 5) * 2
    assert [plan.params for plan in plans[:2]] == [
        {"optimizer": "sgd", "l1": 0.0, "width": 8},
        {"optimizer": "sgd", "l1": 0.0, "width": 16},
    ]
    assert [plan.params for plan in plans if plan.params["optimizer"] == "adam"] == [
        {"optimizer": "adam", "width": 8},
        {"optimizer": "adam", "width": 16},
    ]


def test_a_huge_grid_with_conditions_is_counted_and_indexed_without_being_made():
    switches = {f"s{i}": Choice(choices=(False, True)) for i in range(30)}
    depths = {f"d{i}": Range(low=1, high=9, type="int", when={f"s{i}": (True,)}) for i in range(30)}
    sampler = GridSampler(SearchSpace(switches | depths))

    last = sampler.params(10**30 - 1)

    assert sampler.size == (1 + 9) ** 30
    assert last == dict.fromkeys(switches, True) | dict.fromkeys(depths, 9)
    assert sampler.params(0) == dict.fromkeys(switches, False)


def test_there_is_no_point_past_the_end():
    with pytest.raises(SpecError, match="8 points"):
        GridSampler(big(3, 2)).params(8)


def test_an_optuna_study_walks_the_grid_once_and_stops():
    study = optuna.create_study(sampler=GridSampler(big(2, 3)))

    def objective(trial):
        return sum(trial.suggest_float(f"p{i}", 1e-4, 1e-1, log=True) for i in range(2))

    study.optimize(objective, n_trials=100)

    assert [t.params for t in study.trials] == [p.params for p in GridSampler(big(2, 3)).ask(0, 9)]


def test_an_optuna_study_that_asks_for_another_parameter_is_told_so():
    study = optuna.create_study(sampler=GridSampler(big(1, 3)))

    with pytest.raises(SpecError, match="no parameter 'x'"):
        study.ask().suggest_float("x", 0, 1)
