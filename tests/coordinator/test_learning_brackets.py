"""Brackets of a sampler that learns: their ends seldom meet those of its batches, and nothing may hang on that."""

from dataclasses import replace

import pytest

from hpo.coordinator.brackets import Referee
from hpo.states import StudyState
from hpo.study import PrunerSpec, SamplerSpec
from tests.coordinator.test_brackets import spec_with

HYPERBAND = PrunerSpec(name="hyperband", min_epochs=1, factor=3)


def halving(size):
    return PrunerSpec(name="halving", min_epochs=1, factor=3, bracket=size)


def learning(pruner, *, sampler="tpe", batch=8, trials=90):
    spec = spec_with(pruner, trials=trials)
    return replace(spec, sampler=SamplerSpec(name=sampler, batch=batch, seed=0))


@pytest.mark.parametrize(("pruner", "batch"), [(HYPERBAND, 8), (halving(20), 8), (halving(48), 16)])
def test_who_is_judged_with_whom_does_not_depend_on_workers_or_the_cut(make_world, pruner, batch):
    spec = learning(pruner, batch=batch)
    reference = make_world(spec)
    reference.run(workers=1, max_lanes=256)

    for workers, max_lanes in ((2, 5), (4, 3), (16, 1)):
        world = make_world(spec)
        world.run(workers=workers, max_lanes=max_lanes)
        assert world.bits() == reference.bits(), (workers, max_lanes)


def test_a_sampler_that_thinks_elsewhere_fills_brackets_larger_than_its_batches(make_world):
    world = make_world(learning(halving(64), sampler="gp", trials=40))

    study = world.run()

    assert (study.state, study.n_finished) == (StudyState.COMPLETED, 40)


def test_nothing_is_remembered_of_brackets_that_have_ended(make_world, monkeypatch):
    referees = []
    monkeypatch.setattr(Referee, "__init__", _noted(Referee.__init__, referees))
    world = make_world(learning(halving(64), trials=128))

    world.run(max_lanes=5)

    assert [referee.ended for referee in referees] == [{}]


def _noted(init, made):
    def begin(self, **fields):
        made.append(self)
        init(self, **fields)

    return begin
