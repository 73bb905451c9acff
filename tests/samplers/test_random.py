"""Random search: Optuna's own RandomSampler is the oracle, bit for bit."""

from __future__ import annotations

import warnings

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase

from hpo.samplers.distributions import distributions_of
from hpo.samplers.random import RandomSampler, draw_of
from hpo.seeds import parameter_seed
from hpo.space import Choice, Fixed, Range, SearchSpace

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def float_distributions(draw):
    log = draw(st.booleans())
    numbers = st.floats(1e-12, 1e9) if log else st.floats(-1e9, 1e9)
    low, high = sorted((draw(numbers), draw(numbers)))
    step = None if log else draw(st.none() | st.floats(1e-3, 1e4))
    return FloatDistribution(low, high, log=log, step=step)


@st.composite
def int_distributions(draw):
    log = draw(st.booleans())
    low, high = sorted(draw(st.integers(1 if log else -(10**9), 10**9)) for _ in range(2))
    return IntDistribution(low, high, log=log, step=1 if log else draw(st.integers(1, 1000)))


CATEGORICAL = st.lists(st.text(max_size=3) | st.integers(0, 9), min_size=1, max_size=20, unique=True)


def optunas_value(seed, distribution):
    return optuna.samplers.RandomSampler(seed=seed).sample_independent(None, None, "x", distribution)


def our_value(seed, distribution):
    sampler = RandomSampler(0)
    sampler._random.seed(seed)
    return draw_of(distribution)(sampler._random)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(SEEDS, float_distributions() | int_distributions() | CATEGORICAL.map(CategoricalDistribution))
def test_every_value_is_the_one_optunas_sampler_draws(seed, distribution):
    expected = optunas_value(seed, distribution)

    value = our_value(seed, distribution)

    assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(0.0, 1.0),
        FloatDistribution(1e-5, 1.0, log=True),
        FloatDistribution(0.0, 1.0, step=0.25),
        FloatDistribution(-0.3, 0.4, step=0.1),
        FloatDistribution(1.0, 1.0000000000000002),
        FloatDistribution(1.0, 1.0000000000000004, log=True),
        FloatDistribution(3.0, 3.0),
        FloatDistribution(3.0, 3.0, log=True),
        IntDistribution(1, 7),
        IntDistribution(1, 1024, log=True),
        IntDistribution(-8, 8, step=4),
        CategoricalDistribution(list("abcdefg")),
    ],
    ids=str,
)
def test_a_thousand_seeds_give_optunas_values(distribution):
    assert [our_value(seed, distribution) for seed in range(1000)] == [
        optunas_value(seed, distribution) for seed in range(1000)
    ]


SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-4, high=1e-1, log=True, type="float"),
        "optimizer": Choice(choices=("sgd", "momentum", "adam")),
        "momentum": Range(low=0.5, high=0.99, type="float", when={"optimizer": ("momentum",)}),
        "hidden_units": Range(low=8, high=64, log=True, type="int"),
        "epochs": Fixed(value=3),
    }
)


def test_a_plan_is_drawn_name_by_name_from_seed_number_and_name():
    distributions = distributions_of(SPACE)

    for plan in RandomSampler(7, SPACE).ask(100, 50):
        for name, value in plan.params.items():
            assert value == optunas_value(parameter_seed(7, plan.number, name), distributions[name])


def test_a_conditional_parameter_stands_only_where_its_condition_holds():
    plans = RandomSampler(0, SPACE).ask(0, 200)

    for plan in plans:
        assert ("momentum" in plan.params) == (plan.params["optimizer"] == "momentum")
        assert "epochs" not in plan.params
    assert 20 < sum("momentum" in plan.params for plan in plans) < 120


def test_a_condition_on_a_fixed_value_holds_always_or_never():
    def plans(value):
        fixed = {"optimizer": Choice(choices=("sgd", value)), "momentum": SPACE.parameters["momentum"]}
        if value == "momentum":
            fixed["optimizer"] = Fixed(value=value)
        return RandomSampler(0, SearchSpace(fixed)).ask(0, 9)

    assert all(set(plan.params) == {"momentum"} for plan in plans("momentum"))


@given(
    st.permutations(list(SPACE.parameters)),
    st.sets(st.sampled_from(["learning_rate", "hidden_units", "epochs"])),
)
def test_reordering_and_dropping_parameters_changes_no_other_value(order, dropped):
    whole = RandomSampler(3, SPACE).ask(0, 20)
    other = SearchSpace({name: SPACE.parameters[name] for name in order if name not in dropped})

    plans = RandomSampler(3, other).ask(0, 20)

    for before, after in zip(whole, plans, strict=True):
        assert after.params == {n: v for n, v in before.params.items() if n not in dropped}


def test_asking_in_parts_gives_the_same_plans_as_asking_at_once():
    sampler = RandomSampler(0, SPACE)

    parts = [plan for first in range(0, 100, 7) for plan in sampler.ask(first, min(7, 100 - first))]

    assert parts == RandomSampler(0, SPACE).ask(0, 100)


def test_another_seed_gives_other_trials():
    assert RandomSampler(0, SPACE).ask(0, 5) != RandomSampler(1, SPACE).ask(0, 5)


def test_an_optuna_study_gets_the_values_that_ask_gives():
    study = optuna.create_study(sampler=RandomSampler(5))

    def objective(trial):
        return trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True) + trial.suggest_int(
            "hidden_units", 8, 64, log=True
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.optimize(objective, n_trials=5)

    space = SearchSpace({n: SPACE.parameters[n] for n in ("learning_rate", "hidden_units")})
    assert [t.params for t in study.trials] == [dict(p.params) for p in RandomSampler(5, space).ask(0, 5)]


class TestOptunasSuites(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: RandomSampler(0)
