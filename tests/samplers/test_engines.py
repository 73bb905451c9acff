"""Optuna's own suites on the samplers of its that we changed."""

from __future__ import annotations

from functools import partial

import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from hpo.samplers.engines import GenerationSampler, NumbersSampler


class Every(frozenset):
    """All names there may be."""

    def __contains__(self, name):
        return True


class TestGenerations(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return partial(GenerationSampler, population_size=2)


class TestNumbers(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return partial(NumbersSampler, Every(), n_startup_trials=0)
