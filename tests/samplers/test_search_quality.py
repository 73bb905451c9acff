"""Samplers that learn find better trials than random search, on surfaces whose best point is known."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.samplers.adaptive import AdaptiveSampler, Learning
from hpo.samplers.options import completed
from hpo.samplers.random import RandomSampler
from hpo.samplers.registry import make_sampler
from hpo.study import Direction, SamplerSpec, StudySpec
from hpo.testing.surfaces import EPOCHS, SPACE, best_found, surface_of

SEEDS = range(12)
ENOUGH = 10  # a sampler no better than random search gets there by chance once in 50 (sign test)


BATCHES = {"tpe": 4, "gp": 2}


def sampler_of(name, seed, trials):
    if name == "gp":  # in this process: a search of a few trials is over before one of its own has begun
        learning = Learning(
            engine=name,
            space=SPACE,
            directions=(Direction.MINIMIZE,),
            seed=seed,
            batch=BATCHES[name],
            options=completed(name, BATCHES[name], {}),
            constrained=False,
        )
        return AdaptiveSampler(learning, total=trials, patience_s=60.0)
    sampler = SamplerSpec(name=name, seed=seed, batch=BATCHES.get(name))
    return make_sampler(StudySpec(parameters=SPACE, trials=trials, epochs=EPOCHS, sampler=sampler))


@given(st.integers(0, 50), st.integers(0, 200))
def test_a_surface_is_nowhere_below_its_known_best(seed, number):
    surface = surface_of(seed)

    assert surface.loss(RandomSampler(1, SPACE).params(number)) > 0
    assert surface.loss(RandomSampler(1, SPACE).params(number), 1) > surface.loss(
        RandomSampler(1, SPACE).params(number)
    )


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("coarse_to_fine", 60),
        ("coarse_to_fine", 100),
        ("tpe", 40),
        pytest.param("gp", 24, marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_samplers_that_learn_beat_random_search_at_the_same_number_of_trials(name, trials):
    # Not one more is tried than it takes.
    wins = (
        best_found(sampler_of(name, seed, trials), surface_of(seed), trials)
        < best_found(sampler_of("random", 1000 + seed, trials), surface_of(seed), trials)
        for seed in SEEDS
    )

    assert sum(islice(filter(None, wins), ENOUGH)) == ENOUGH
