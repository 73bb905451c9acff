"""Brackets of a study with constraints and several objectives: refused trials are no members, nothing else changes."""

from dataclasses import replace

import pytest

from hpo.space import Range
from hpo.states import StudyState, TrialState
from hpo.study import Direction, ObjectiveSpec, PrunerSpec
from hpo.testing.small_jobs import LEARNING_RATE, space_of, spec_of
from tests.coordinator.test_crashes import Deadly, Killed

WIDTHS = {"learning_rate": LEARNING_RATE, "hidden_units": Range(low=4, high=64, log=True, type="int")}
PRUNERS = {
    "halving": PrunerSpec(name="halving", min_epochs=1, factor=3, bracket=16),
    "median": PrunerSpec(name="median", min_epochs=1, bracket=16),
    "hyperband": PrunerSpec(name="hyperband", min_epochs=1, factor=3),
}


def spec_with(pruner, *, trials=64):
    spec = spec_of(
        trials=trials,
        epochs=9,
        space=space_of(WIDTHS, hidden_layers=1),
        pruner=PRUNERS[pruner],
        constraints={"n_parameters": "<= 300", "log_loss": "> 0.3"},
    )
    return replace(
        spec,
        objectives=(
            ObjectiveSpec(metric="log_loss", direction=Direction.MINIMIZE),
            ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
        ),
    )


@pytest.mark.parametrize("pruner", PRUNERS)
def test_brackets_with_refused_trials_do_not_depend_on_workers_or_the_cut(make_world, pruner):
    worlds = [make_world(spec_with(pruner)) for _ in range(3)]

    for world, workers, lanes in zip(worlds, (1, 2, 4), (256, 5, 2), strict=True):
        world.run(workers=workers, max_lanes=lanes)

    assert {t.state for t in worlds[0].trials()} == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert {t.reason for t in worlds[0].trials(TrialState.FAIL)} == {"infeasible"}
    assert not all(t.feasible for t in worlds[0].trials(TrialState.COMPLETE))
    assert worlds[0].bits() == worlds[1].bits() == worlds[2].bits()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pruner", ["halving", "median"])
def test_brackets_with_refused_trials_survive_death_at_any_write(make_world, pruner, after):
    spec = spec_with(pruner, trials=40)
    undisturbed, counted = make_world(spec), make_world(spec)
    undisturbed.run()
    counter = Deadly(counted.storage, None, after=False)
    counted.run(storage=counter, max_lanes=3)

    for nth in range(0, counter.n_writes, 3):
        world = make_world(spec)
        with pytest.raises(Killed):
            world.run(storage=Deadly(world.storage, nth, after=after), max_lanes=3)
        left = world.storage.get_study("small")
        study = left if left.state is StudyState.COMPLETED else world.run(max_lanes=3, dead=left.driver)

        assert study.state is StudyState.COMPLETED, nth
        assert world.bits() == undisturbed.bits(), nth
