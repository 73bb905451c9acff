"""A study that begins with what others have learned."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.errors import PoolError
from hpo.service.warm_trials import fixed_of, in_words_of, warm_trials
from hpo.space import Choice, Range
from hpo.states import StudyState, TrialState
from hpo.study import SamplerSpec
from hpo.testing.simulated_pool import Fault, SimulatedPool
from hpo.testing.small_jobs import create, data_of, space_of, spec_of

LEARNED = ("tpe", "cmaes", "nsga2")
NARROW = Range(low=1e-3, high=1e-1, log=True, type="float")


def run(world, name, spec, *, workers=2, faults=(), **options):
    pool = SimulatedPool(n_slots=workers, faults=faults)
    options = Options(patience_s=0.5, poll_s=0.0, renew_s=0.0, **options)
    Coordinator(world.storage, pool, options=options).run(Job(name=name, spec=spec, data=data_of()))
    return world.storage.trials(name)


def warm_spec(sampler, trials=24, space=None, **rest):
    spec = spec_of(trials=trials, epochs=2, space=space, **rest)
    return replace(spec, sampler=SamplerSpec(name=sampler, seed=5, batch=6), warm_start=("small",))


def distance(trials):
    """How far the mean trial is from the best learning rate, in decades."""
    return sum(abs(math.log10(t.params["learning_rate"]) + 2) for t in trials) / len(trials)


@pytest.fixture
def world(make_world):
    """A random study of 60 trials that has ended."""
    world = make_world(spec_of(trials=60, epochs=2))
    world.run()
    return world


@pytest.mark.parametrize("sampler", LEARNED)
def test_it_begins_where_the_other_study_ended(world, sampler):
    spec = warm_spec(sampler)
    create(world.storage, spec, name="warm")
    create(world.storage, replace(spec, warm_start=()), name="cold")

    warm, cold = run(world, "warm", spec), run(world, "cold", replace(spec, warm_start=()))

    assert distance(warm[:12]) < 0.7 * distance(cold[:12])


@pytest.mark.parametrize("sampler", LEARNED)
def test_after_a_restart_it_knows_the_same_though_the_other_study_went_on(world, sampler):
    spec = warm_spec(sampler)
    create(world.storage, spec, name="one")
    create(world.storage, spec, name="two")
    one = run(world, "one", spec)

    with pytest.raises(PoolError):
        run(world, "two", spec, max_lanes=2, faults=[Fault(submission=7, reason="pool")])
    world.storage.move_study("small", StudyState.QUEUED)
    world.storage.set_trials("small", 90)
    world.run()
    world.storage.move_study("two", StudyState.QUEUED)
    two = run(world, "two", spec, workers=1)

    assert [(t.number, dict(t.params), t.value) for t in two] == [
        (t.number, dict(t.params), t.value) for t in one
    ]


def test_only_trials_with_a_value_in_range_for_every_parameter_count(world):
    space = space_of({"learning_rate": NARROW}, optimizer="adam")
    study = create(world.storage, warm_spec("tpe", space=space), name="warm")

    found = warm_trials(world.storage, study, warm_spec("tpe", space=space))

    within = [t for t in world.trials() if 1e-3 <= t.params["learning_rate"] <= 1e-1]
    assert [(t.number, dict(t.params)) for t in found] == [
        (t.number, {"learning_rate": t.params["learning_rate"]}) for t in within
    ]
    assert 0 < len(within) < 60


def test_what_was_fixed_there_counts_as_a_value():
    conditional = {"value": 0.9, "when": {"optimizer": ["momentum"]}}
    parameters = {
        "hidden_units": {"value": 23},
        "dropout": 0.1,
        "l2": {"low": 0, "high": 1},
        "momentum": conditional,
    }
    space = space_of({"hidden_units": Choice(choices=(8, 23)), "l2": Range(low=0.0, high=1.0, type="float")})

    fixed = fixed_of({"parameters": parameters})

    assert fixed == {"hidden_units": 23, "dropout": 0.1}
    assert in_words_of(space, {**fixed, "l2": 0.5}) == {"hidden_units": 23, "l2": 0.5}
    assert in_words_of(space, {"l2": 0.5}) is None


def test_a_study_that_was_removed_has_nothing_to_say(world):
    spec = warm_spec("tpe")
    study = create(world.storage, spec, name="warm")
    world.storage.delete_study("small")

    assert warm_trials(world.storage, study, spec) == []
    assert len(run(world, "warm", spec)) == 24


def test_trials_that_failed_there_warn_of_their_corner(make_world):
    rates = Range(low=1e-3, high=1e3, log=True, type="float")  # at 10 and above they diverge
    world = make_world(spec_of(trials=40, epochs=2, space=space_of({"learning_rate": rates})))
    world.run()
    spec = warm_spec("tpe", space=space_of({"learning_rate": rates}))
    create(world.storage, spec, name="warm")

    failed = [t.number for t in run(world, "warm", spec) if t.state is TrialState.FAIL]

    assert len(world.trials(TrialState.FAIL)) > 10
    assert len(failed) <= 2
