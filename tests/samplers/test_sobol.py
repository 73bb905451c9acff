"""Sobol's sequence: Optuna's QMCSampler and scipy are the oracles."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from scipy.stats import qmc

from hpo.samplers.distributions import distributions_of
from hpo.samplers.sobol import SobolSampler
from hpo.space import Choice, Fixed, Range, SearchSpace

SPACE = SearchSpace(
    {
        "rate": Range(low=1e-5, high=1.0, log=True, type="float"),
        "share": Range(low=-0.5, high=0.5, type="float"),
        "stepped": Range(low=0.0, high=1.0, step=0.25, type="float"),
        "units": Range(low=4, high=256, log=True, type="int"),
        "layers": Range(low=1, high=5, type="int"),
        "kind": Choice(choices=("a", "b", "c")),
    }
)


class ScipysPoints(optuna.samplers.QMCSampler):
    """Optuna's sampler on scipy's sequence as numpy's new generators scramble it; Optuna's own are the old ones,
    which take no seed above 2 ** 32."""

    def _sample_qmc(self, study, search_space):
        engine = qmc.Sobol(len(search_space), scramble=True, rng=self._seed)
        return engine.random(self._find_sample_id(study, search_space) + 1)[-1:]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_value_is_the_one_optunas_qmc_sampler_gives():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(sampler=ScipysPoints(scramble=True, seed=7))
    study.ask(distributions_of(SPACE))  # Optuna's first trial is random
    expected = [study.ask(distributions_of(SPACE)).params for _ in range(100)]

    plans = SobolSampler(7, SPACE).ask(0, 100)

    for plan, params in zip(plans, expected, strict=True):
        assert plan.params["kind"] == params.pop("kind")
        assert {name: plan.params[name] for name in params} == pytest.approx(params, rel=1e-12)
        assert all(type(plan.params[name]) is type(value) for name, value in params.items())


@pytest.mark.parametrize("pieces", [[1] * 40, [3, 7, 30], [40]])
def test_a_point_is_a_function_of_seed_and_place(pieces):
    sampler, plans = SobolSampler(7, SPACE), []

    for n in pieces:
        plans += sampler.ask(len(plans), n)

    assert plans == SobolSampler(7, SPACE).ask(0, 40)
    assert sampler.ask(12, 3) == plans[12:15]
    assert SobolSampler(8, SPACE).ask(0, 40) != plans


def test_enqueued_numbers_leave_no_gap_in_the_sequence():
    shifted = SobolSampler(7, SPACE).ask(10, 5, 4)

    assert [plan.number for plan in shifted] == list(range(10, 15))
    assert [plan.params for plan in shifted] == [plan.params for plan in SobolSampler(7, SPACE).ask(4, 5)]


def test_every_choice_has_an_equal_share():
    plans = SobolSampler(0, SearchSpace({"kind": Choice(choices=tuple("abcd"))})).ask(0, 64)

    assert {kind: sum(p.params["kind"] == kind for p in plans) for kind in "abcd"} == dict.fromkeys(
        "abcd", 16
    )


def test_a_condition_that_does_not_hold_leaves_its_dimension_unused():
    conditional = {
        "optimizer": Choice(choices=("adam", "momentum")),
        "momentum": Range(low=0.8, high=0.99, type="float", when={"optimizer": ("momentum",)}),
        "nesterov": Choice(choices=(True, False), when={"fixed": (1,)}),
        "fixed": Fixed(value=1),
        "l2": Range(low=1e-6, high=1e-2, log=True, type="float"),
    }
    free = {"momentum": Range(low=0.8, high=0.99, type="float")}

    plans = SobolSampler(3, SearchSpace(conditional)).ask(0, 64)
    all_free = SobolSampler(3, SearchSpace(conditional | free)).ask(0, 64)

    assert {p.params["optimizer"]: "momentum" in p.params for p in plans} == {"adam": False, "momentum": True}
    for plan, other in zip(plans, all_free, strict=True):
        assert dict(plan.params) == {name: other.params[name] for name in plan.params}
    assert all("fixed" not in p.params and "nesterov" in p.params for p in plans)


def test_it_fills_the_square_more_evenly_than_random_points():
    square = SearchSpace({name: Range(low=0.0, high=1.0, type="float") for name in ("x", "y")})

    points = np.array([list(plan.params.values()) for plan in SobolSampler(1, square).ask(0, 128)])

    assert qmc.discrepancy(points) < 0.2 * qmc.discrepancy(np.random.default_rng(0).random((128, 2)))


def test_a_study_without_parameters_has_trials_all_the_same():
    assert [dict(plan.params) for plan in SobolSampler(0, SearchSpace({})).ask(0, 3)] == [{}, {}, {}]


class TestOptunasSuite(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return SobolSampler
