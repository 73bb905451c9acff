"""Several objectives and constraints on results, from the first trial to what the user and Optuna read."""

import json
from dataclasses import replace

import optuna
import pytest

from hpo.cohort import CohortTask, ScoreTask
from hpo.coordinator.feasibility import network_of
from hpo.coordinator.planner import Resolver
from hpo.space import Range
from hpo.states import StudyState, TrialState
from hpo.study import Direction, ObjectiveSpec, StopSpec
from hpo.testing.small_jobs import LEARNING_RATE, space_of, spec_of

WIDTHS = {"learning_rate": LEARNING_RATE, "hidden_units": Range(low=4, high=64, log=True, type="int")}
LOSS = ObjectiveSpec(metric="log_loss", direction=Direction.MINIMIZE)
SIZE = ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE)
SPEED = ObjectiveSpec(metric="train_seconds", direction=Direction.MAXIMIZE)


def two(*objectives, trials=60, **rest):
    spec = spec_of(trials=trials, space=space_of(WIDTHS, hidden_layers=1), **rest)
    return replace(spec, objectives=objectives or (LOSS, SIZE))


def optuna_of(world):
    return optuna.load_study(study_name="small", storage=world.url)


@pytest.fixture
def make_stored(make_world, tmp_path):
    """A world in a database that Optuna reads too."""

    def make(spec):
        url = f"sqlite:///{tmp_path / 'hpo.db'}"
        world = make_world(spec, url=url)
        world.url = url
        return world

    return make


@pytest.mark.parametrize("objectives", [(LOSS, SIZE), (LOSS, SPEED, SIZE)], ids=["two", "three"])
def test_the_front_is_the_one_that_optuna_finds(make_stored, objectives):
    world = make_stored(two(*objectives))

    study = world.run()

    theirs = optuna_of(world)
    assert study.state is StudyState.COMPLETED
    assert [d.name.lower() for d in theirs.directions] == [o.direction.value for o in objectives]
    assert [tuple(t.values) for t in theirs.trials] == [t.values for t in world.trials()]
    front = world.storage.pareto("small")
    assert len(front) > 2
    assert sorted(t.number for t in front) == sorted(t.number for t in theirs.best_trials)


def test_values_stand_in_the_place_of_the_value_and_the_size_is_that_of_the_trials_own_network(make_world):
    world = make_world(two())
    alone = make_world(replace(two(), objectives=()))
    resolver, info = Resolver(two(), world.job.data.info), world.job.data.info

    world.run()
    alone.run()

    for trial, one in zip(world.trials(), alone.trials(), strict=True):
        assert trial.value is None
        network = network_of(resolver.resolve(trial.number, trial.params), info)
        assert trial.values == (one.value, network.n_parameters)


def test_the_test_score_is_that_of_the_fronts_best_by_the_first_objective(make_world):
    world = make_world(two())

    study = world.run()

    first = world.storage.pareto("small")[0]
    assert first.values[0] == min(t.values[0] for t in world.trials())
    assert study.test["number"] == first.number
    assert study.test["log_loss"] == first.values[0]
    assert world.storage.model("small").number == first.number
    assert [json.loads(t.model)["number"] for t in world.pools[0].submitted if isinstance(t, ScoreTask)] == [
        first.number
    ]
    assert world.seen[-1].best_number == first.number
    assert world.seen[-1].best_value == first.values[0]


def test_several_objectives_do_not_depend_on_workers_or_the_cut(make_world):
    worlds = [make_world(two(repeats=2)) for _ in range(2)]

    worlds[0].run(workers=1, max_lanes=2)
    worlds[1].run(workers=4, max_lanes=30)

    assert worlds[0].bits() == worlds[1].bits()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_stops_by_its_first_objective(make_world, workers):
    whole = make_world(two(trials=200))
    whole.run()
    losses = [t.values[0] for t in whole.trials()]
    goal = sorted(losses[:100])[2]
    last = next(number for number, loss in enumerate(losses) if loss <= goal)
    world = make_world(two(trials=200, stop=StopSpec(value=goal)))

    study = world.run(workers=workers, max_lanes=4)

    assert f"reached by trial {last}" in study.reason
    assert study.n_finished < 200
    front = world.storage.pareto("small")
    assert front[0].number == last == study.test["number"] == world.seen[-1].best_number
    assert all(t.number <= last for t in front)


def test_constrained_the_best_trial_is_the_one_that_optuna_finds(make_stored):
    free = make_stored(two())
    free.run()
    bound = sorted(t.values[0] for t in free.trials())[20]
    free.storage.delete_study("small")
    spec = replace(two(), objectives=(), constraints={"log_loss": f"> {bound!r}", "learning_rate": "< 0.5"})
    world = make_stored(spec)

    study = world.run()

    [best] = world.storage.best_trials("small", 1)
    infeasible = [t for t in world.trials(TrialState.COMPLETE) if not t.feasible]
    refused = world.trials(TrialState.FAIL)
    assert len(infeasible) > 10
    assert {t.reason for t in refused} == {"infeasible"}
    assert optuna_of(world).best_trial.number == best.number
    assert best.value == min(t.value for t in world.trials(TrialState.COMPLETE) if t.feasible)
    assert best.value > min(t.value for t in infeasible)
    assert study.test["number"] == best.number == world.seen[-1].best_number


def test_a_constrained_front_is_the_one_that_optuna_finds(make_stored):
    world = make_stored(two(constraints={"n_parameters * log_loss": "> 400", "n_parameters": "<= 300"}))

    world.run()

    front = world.storage.pareto("small")
    assert len(front) > 1
    assert any(not t.feasible for t in world.trials(TrialState.COMPLETE))
    assert sorted(t.number for t in front) == sorted(t.number for t in optuna_of(world).best_trials)


def test_a_study_that_only_breaks_its_constraints_when_it_has_trained_fails_too(make_world):
    world = make_world(spec_of(trials=20, constraints={"epochs": "> 3"}))

    study = world.run()

    assert (study.state, study.counts[TrialState.COMPLETE]) == (StudyState.FAILED, 20)
    assert study.reason == (
        "not one of the trials meets the constraints (epochs > 3); loosen them, or narrow the parameters"
    )
    assert world.storage.model("small") is None
    assert study.test is None


def test_what_a_worker_is_told_says_no_more_than_it_must(make_world):
    spec = two(constraints={"n_parameters": "<= 400", "log_loss": "<= 10 * learning_rate + 9"})
    world = make_world(spec)

    world.run()

    tasks = [t for t in world.pools[0].submitted if isinstance(t, CohortTask)]
    assert {str(one) for task in tasks for one in task.constraints} == {"log_loss <= 10 * learning_rate + 9"}
    assert {name for task in tasks for known in task.known.values() for name in known} == {"learning_rate"}
    assert all(set(task.known) == set(task.numbers) for task in tasks)
