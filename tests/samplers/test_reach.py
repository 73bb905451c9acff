"""How far widening may ever go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.hyperparams import HYPERPARAMETERS, check_parameter
from hpo.samplers.reach import reach_of, stored_space
from hpo.space import Choice, Fixed, Range, SearchSpace
from hpo.study import SamplerSpec
from hpo.testing.small_jobs import spec_of


def reach(name, **ends):
    parameter = reach_of(SearchSpace({name: Range(type="float", **ends)})).parameters[name]
    return parameter.low, parameter.high


def test_a_log_range_reaches_one_decade_either_way():
    assert reach("learning_rate", low=1e-4, high=1e-2, log=True) == pytest.approx((1e-5, 1e-1))


def test_a_linear_range_reaches_one_width_either_way_where_that_is_legal():
    assert reach("bias_init", low=-1.0, high=3.0) == (-5.0, 7.0)
    assert reach("elu_alpha", low=0.5, high=1.5) == (0.0, 2.5)


def test_a_limit_that_is_itself_not_allowed_is_gone_halfway_to():
    assert reach("dropout", low=0.0, high=0.5) == (0.0, 0.75)
    assert reach("learning_rate", low=0.1, high=0.5) == (0.05, 0.9)


FLOATS = sorted(name for name, h in HYPERPARAMETERS.items() if h.kind == "float")


@given(st.sampled_from(FLOATS), st.floats(1e-6, 0.4), st.floats(1.1, 2), st.booleans())
def test_what_is_reached_is_legal_and_holds_what_is_written(name, low, factor, log):
    low = max(low, 2.0) if name == "samples_alpha" else low
    low, high = reach(name, low=low, high=low * factor, log=log)

    check_parameter(name, Range(low=low, high=high, log=log, type="float"))
    assert low <= high


def test_whole_numbers_steps_and_choices_stay_as_written():
    space = SearchSpace(
        {
            "hidden_units": Range(low=8, high=64, type="int"),
            "dropout": Range(low=0.0, high=0.4, step=0.1, type="float"),
            "optimizer": Choice(choices=("sgd", "adam")),
            "batch_size": Fixed(value=32),
        }
    )

    assert reach_of(space) == space


def test_only_a_study_that_may_widen_is_stored_with_its_reach():
    spec = spec_of()

    assert stored_space(spec) is spec.parameters
    widened = stored_space(spec_of(sampler="coarse_to_fine"))
    assert widened == spec.parameters


def test_the_stored_ranges_of_a_study_that_may_widen_are_its_reach():
    spec = replace(spec_of(), sampler=SamplerSpec(name="coarse_to_fine", widen=True))

    assert stored_space(spec) == reach_of(spec.parameters)
