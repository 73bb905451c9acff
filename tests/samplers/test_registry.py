"""Samplers by name, with the seed the study gives them."""

from __future__ import annotations

import pytest

from hpo.errors import UnknownName
from hpo.samplers.registry import SAMPLERS, make_sampler
from hpo.space import Range, SearchSpace
from hpo.study import SamplerSpec, StudySpec

SPACE = SearchSpace({"dropout": Range(low=0.0, high=0.5, num=3, type="float")})


def plans(**rest):
    return make_sampler(StudySpec(parameters=SPACE, **rest)).ask(0, 2)


def test_the_sampler_takes_the_studys_seed_unless_it_has_its_own():
    assert plans(seed=3) == plans(sampler=SamplerSpec(seed=3)) == plans(seed=9, sampler=SamplerSpec(seed=3))
    assert plans(seed=3) != plans(seed=4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_can_be_made_by_name_and_is_told_without_harm(name):
    sampler = make_sampler(StudySpec(parameters=SPACE, sampler=SamplerSpec(name=name)))

    sampler.tell([])

    assert [plan.number for plan in sampler.ask(0, 2)] == [0, 1]
    assert [plan.number for plan in sampler.ask(2, 1)] == [2]


def test_an_unknown_sampler_gets_the_nearest_name():
    with pytest.raises(UnknownName, match="did you mean 'random'"):
        plans(sampler=SamplerSpec(name="randon"))
