"""Studies whose sampler learns: the same trials on any number of workers, through pauses and deaths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.errors import PoolError
from hpo.space import Choice, Range
from hpo.states import StudyState, TrialState, Wanted
from hpo.study import Direction, ObjectiveSpec, SamplerSpec
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import L2, LEARNING_RATE, space_of, spec_of

IN_PROCESS = ("tpe", "cmaes", "nsga2")
HIGH_RATES = Range(low=1e-4, high=100.0, log=True, type="float")  # some diverge
MOMENTUM = Range(low=0.8, high=0.99, type="float", when={"optimizer": ("momentum",)})


def study_of(sampler, *, trials=44, batch=8, rate=LEARNING_RATE, **rest):
    space = space_of(
        {
            "learning_rate": rate,
            "l2": L2,
            "hidden_units": Choice(choices=(8, 16, 23)),
            "optimizer": Choice(choices=("adam", "momentum")),
            "momentum": MOMENTUM,
        }
    )
    spec = spec_of(trials=trials, space=space, epochs=2, **rest)
    return replace(spec, sampler=SamplerSpec(name=sampler, seed=1, batch=batch))


@pytest.mark.parametrize("sampler", [*IN_PROCESS, "sobol"])
def test_trials_depend_neither_on_workers_nor_on_the_cut(make_world, sampler):
    spec = study_of(sampler, batch=None if sampler == "sobol" else 8, rate=HIGH_RATES)
    reference = make_world(spec)
    reference.run(workers=1, max_lanes=3)

    for workers, max_lanes in ((1, None), (2, 5), (4, 64)):
        world = make_world(spec)
        assert world.run(workers=workers, max_lanes=max_lanes).state is StudyState.COMPLETED
        assert world.bits() == reference.bits()


@pytest.mark.parametrize("sampler", IN_PROCESS)
@pytest.mark.parametrize("submission", [1, 4, 9])
def test_a_coordinator_that_takes_over_proposes_what_the_first_would_have(make_world, sampler, submission):
    spec = study_of(sampler, rate=HIGH_RATES)
    world, reference = make_world(spec), make_world(spec)
    reference.run()

    with pytest.raises(PoolError):
        world.run(workers=3, max_lanes=5, faults=[Fault(submission=submission, reason="pool")])
    world.storage.move_study("small", StudyState.QUEUED)
    world.run(workers=2, max_lanes=7)

    assert world.bits() == reference.bits()


@pytest.mark.parametrize("sampler", IN_PROCESS)
def test_a_study_paused_anywhere_goes_on_with_the_same_trials(make_world, sampler):
    spec = study_of(sampler)
    world, reference = make_world(spec), make_world(spec)
    reference.run()

    for pause_at in (3, 17, 30):
        world.run(
            max_lanes=4,
            each_poll=lambda at=pause_at: world.n_finished >= at and world.coordinator.ask(Wanted.PAUSE),
        )
        world.storage.move_study("small", StudyState.QUEUED)
    world.run()

    assert world.bits() == reference.bits()


@pytest.mark.parametrize("sampler", IN_PROCESS)
def test_lost_and_refused_cohorts_change_no_proposal(make_world, sampler):
    spec = study_of(sampler)
    world, reference = make_world(spec), make_world(spec)
    reference.run()

    world.run(workers=3, most_lanes=6, faults=[Fault(submission=2), Fault(submission=5)])

    assert world.bits() == reference.bits()


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_infeasible_trials_are_learned_from_not_waited_for(make_world, sampler):
    spec = study_of(sampler, constraints={"hidden_units": "<= 16"})
    world = make_world(spec)

    study = world.run(workers=2)

    wide = [trial.number for trial in world.trials() if trial.params["hidden_units"] == 23]
    assert study.state is StudyState.COMPLETED
    assert len(world.trials()) == 44
    assert [t.number for t in world.trials() if t.reason == "infeasible"] == wide
    assert sum(number >= 22 for number in wide) < sum(number < 22 for number in wide)


@pytest.mark.parametrize("sampler", IN_PROCESS)
def test_enqueued_settings_take_the_first_numbers(make_world, sampler):
    given = {"learning_rate": 0.01, "l2": 1e-4, "hidden_units": 8, "optimizer": "adam"}
    spec = study_of(sampler)
    worlds = [make_world(spec, enqueue=(given, given)) for _ in range(2)]

    worlds[0].run(workers=1, max_lanes=3)
    worlds[1].run(workers=4)

    assert worlds[0].bits() == worlds[1].bits()
    assert [dict(t.params) == given for t in worlds[0].trials()][:3] == [True, True, False]


BOTH = (
    ObjectiveSpec(metric="log_loss", direction=Direction.MINIMIZE),
    ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "sobol"])
def test_with_several_objectives_too_trials_are_the_same_on_any_number_of_workers(make_world, sampler):
    spec = study_of(sampler, batch=None if sampler == "sobol" else 8, rate=HIGH_RATES, objectives=BOTH)
    worlds = [make_world(spec) for _ in range(2)]

    worlds[0].run(workers=1, max_lanes=3)
    worlds[1].run(workers=4)

    found = [[(*bits, t.values) for bits, t in zip(w.bits(), w.trials(), strict=True)] for w in worlds]
    assert found[0] == found[1]
    assert {len(t.values) for t in worlds[0].trials(TrialState.COMPLETE)} == {2}


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_with_several_objectives_later_trials_are_better_in_both(make_world, sampler):
    world = make_world(study_of(sampler, trials=96, objectives=BOTH))

    world.run()

    trials = world.trials()
    for objective in range(2):
        early, late = (sum(t.values[objective] for t in part) / 16 for part in (trials[:16], trials[-16:]))
        assert late < early
