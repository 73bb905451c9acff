"""The options of Optuna's samplers: Optuna's own signatures are the oracle."""

from __future__ import annotations

import inspect
import warnings

import pytest
from optuna.samplers import CmaEsSampler, GPSampler, NSGAIISampler, TPESampler

from hpo.samplers.engines import ENGINES, Setting, make_engine
from hpo.samplers.options import OPTIONS, REFUSED, batch_of, completed

CLASSES = {"tpe": TPESampler, "cmaes": CmaEsSampler, "gp": GPSampler, "nsga2": NSGAIISampler}


@pytest.mark.parametrize("sampler", CLASSES)
def test_every_argument_of_optunas_class_is_an_option_or_refused_with_a_reason(sampler):
    arguments = set(inspect.signature(CLASSES[sampler].__init__).parameters) - {"self"}

    assert arguments <= set(OPTIONS[sampler]) | set(REFUSED)
    assert set(OPTIONS[sampler]) <= arguments
    assert not set(OPTIONS[sampler]) & set(REFUSED)


@pytest.mark.parametrize(("sampler", "name"), [(s, n) for s, names in OPTIONS.items() for n in names])
def test_every_option_is_taken_by_optunas_class(sampler, name):
    kind = OPTIONS[sampler][name].kind
    value = True if kind is bool else kind(1) if kind is float else 5

    made = make_engine(ENGINES[sampler], 0, Setting(options={name: value}))

    assert isinstance(made, CLASSES[sampler])


@pytest.mark.parametrize("sampler", CLASSES)
def test_the_attribute_that_saves_comparing_all_trials_is_there(sampler):
    assert hasattr(make_engine(ENGINES[sampler], 0, Setting()), ENGINES[sampler].search_space)


@pytest.mark.parametrize("sampler", CLASSES)
def test_no_remark_of_optunas_reaches_the_user(sampler):
    experimental = {
        "gp": {"deterministic_objective": True},
        "cmaes": {"with_margin": True},
        "tpe": {"group": True},
    }

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_engine(ENGINES[sampler], 0, Setting(options=experimental.get(sampler, {})))


def test_a_population_is_a_batch_unless_both_are_given():
    assert completed("nsga2", batch_of("nsga2", None, {}, 1000), {}) == {"population_size": 50}
    assert completed("nsga2", batch_of("nsga2", 10, {}, 1000), {}) == {"population_size": 10}
    assert batch_of("nsga2", 10, {"population_size": 30}, 1000) == 10
    assert completed("nsga2", 10, {"population_size": 30}) == {"population_size": 30}
