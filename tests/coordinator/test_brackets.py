"""Trials are judged in brackets, wherever they train, and whatever happens meanwhile."""

import math

import pytest

from hpo.cohort import CohortTask
from hpo.space import Choice
from hpo.states import StudyState, TrialState, Wanted
from hpo.study import Direction, PrunerSpec
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import LEARNING_RATE, space_of, spec_of
from tests.coordinator.test_crashes import Deadly, Killed

HALVING = PrunerSpec(name="halving", min_epochs=1, factor=3, bracket=18)
PRUNERS = {
    "halving": HALVING,
    "hyperband": PrunerSpec(name="hyperband", min_epochs=1, factor=3),
    "median": PrunerSpec(name="median", min_epochs=2, bracket=16),
    "SuccessiveHalvingPruner": PrunerSpec(
        name="SuccessiveHalvingPruner", bracket=16, options={"min_resource": 1, "reduction_factor": 3}
    ),
}
MIXED = space_of({"learning_rate": LEARNING_RATE, "hidden_units": Choice(choices=(8, 16, 23))})
RATES = Choice(choices=(1e-4, 1e-3, 0.01, 0.1, 50.0))  # the last one diverges


def reasons(world):
    return {trial.number: trial.reason for trial in world.trials()}


def tasks(world):
    return [task for pool in world.pools for task in pool.submitted if isinstance(task, CohortTask)]


def spec_with(pruner, **rest):
    return spec_of(**{"trials": 40, "epochs": 9, "space": MIXED, "pruner": pruner} | rest)


@pytest.mark.parametrize("direction", list(Direction))
def test_halving_ends_whom_a_search_without_pruner_ranks_below(make_world, direction):
    spec = spec_with(HALVING, direction=direction)
    world, whole = make_world(spec), make_world(spec_with(PrunerSpec(), direction=direction))
    world.run(max_lanes=5)
    whole.run()

    curves = whole.storage.curves("small", range(40))
    for first in (0, 18, 36):
        left = list(range(first, min(first + 18, 40)))
        for rung in (1, 3):
            values = {n: curves[n].column("validation_log_loss")[:rung] for n in left}
            best = {n: min(direction.sign * v for v in values[n]) for n in left}
            left.sort(key=lambda n, best=best: (best[n], n))
            keep = math.ceil(len(left) / 3)
            assert {reasons(world)[n] for n in left[keep:]} <= {f"halving@{rung}"}
            assert {world.trials()[n].epochs for n in left[keep:]} <= {rung}
            left = left[:keep]
        assert {world.trials()[n].state for n in left} == {TrialState.COMPLETE}


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("space", [None, MIXED], ids=["alike", "mixed"])
def test_who_is_pruned_does_not_depend_on_workers_or_the_cut(make_world, pruner, space):
    spec = spec_with(PRUNERS[pruner], space=space, repeats=2)
    reference = make_world(spec)
    expected = reference.run(workers=1, max_lanes=256)

    for workers in (1, 2, 4):
        for max_lanes in (None, 2, 7, 256):
            world = make_world(spec)
            study = world.run(workers=workers, max_lanes=max_lanes)
            assert world.bits() == reference.bits(), (workers, max_lanes)
            assert study.test == expected.test
    found = {str(reason).split("@")[0] for reason in reasons(reference).values()}
    assert found == {pruner, "None"}


def test_a_bracket_of_one_kind_is_judged_where_it_trains(make_world):
    world = make_world(spec_with(HALVING, space=None, trials=72))

    world.run(workers=2)

    assert all(task.judge is not None and task.halt is None for task in tasks(world))
    assert all(len(task.numbers) % 18 == 0 for task in tasks(world))


def test_survivors_that_share_settings_go_on_together(make_world):
    world = make_world(spec_with(HALVING, space=None, trials=18))

    world.run(workers=1, max_lanes=6)

    first, later = tasks(world)[:3], tasks(world)[3:]
    assert [(len(task.numbers), task.halt) for task in first] == [(6, 1)] * 3
    assert [(len(task.numbers), task.halt, len(task.checkpoints) > 1) for task in later] == [(6, None, True)]
    assert later[0].judge is not None  # the last judgement needs nobody else


def test_a_model_found_before_a_halt_is_kept(make_world):
    """Bracket and cohorts end with the best trial's model at hand: nothing is trained once more."""
    for max_lanes in (4, 256):
        world = make_world(spec_with(HALVING))
        study = world.run(max_lanes=max_lanes)
        assert study.test["number"] == world.storage.best_trials("small")[0].number
        assert not any(task.id == -1 for task in tasks(world))


def test_pruned_trials_keep_their_best_value_and_are_never_the_best(make_world):
    world = make_world(spec_with(HALVING, direction=Direction.MINIMIZE))
    world.run(max_lanes=5)

    pruned = world.trials(TrialState.PRUNED)
    best = world.storage.best_trials("small", n=40)
    assert all(trial.value is not None for trial in pruned)
    assert {trial.number for trial in best} == {t.number for t in world.trials(TrialState.COMPLETE)}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_place_of_a_trial_that_diverged_is_not_filled_again(make_world, workers):
    spec = spec_with(HALVING, space=space_of({"learning_rate": RATES}), trials=18)
    world = make_world(spec)
    world.run(workers=workers)

    diverged = sum(str(reason).startswith("diverged") for reason in reasons(world).values())
    after_first = sum(trial.epochs > 1 for trial in world.trials())
    assert diverged > 0
    assert after_first == math.ceil((18 - diverged) / 3)


@pytest.mark.parametrize("epoch", [1, 2, 3, 6])
@pytest.mark.parametrize("max_lanes", [4, 256])
def test_lost_workers_change_no_judgement(make_world, epoch, max_lanes):
    spec = spec_with(HALVING)
    undisturbed = make_world(spec)
    undisturbed.run()

    for submission in range(0, 12, 2):
        world = make_world(spec)
        faults = [Fault(submission=n, epoch=epoch, late=True) for n in (submission, submission + 1)]
        world.run(max_lanes=max_lanes, faults=faults)
        assert world.bits() == undisturbed.bits(), submission


@pytest.mark.parametrize("most_lanes", [1, 2, 5, 13])
def test_brackets_that_do_not_fit_are_spread_and_judged_alike(make_world, most_lanes):
    spec = spec_with(HALVING, space=None)
    world, undisturbed = make_world(spec), make_world(spec)
    undisturbed.run()

    world.run(most_lanes=most_lanes)

    assert world.bits() == undisturbed.bits()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("max_lanes", [4, 256])
def test_a_coordinator_that_dies_at_any_write_leaves_brackets_that_end_alike(make_world, after, max_lanes):
    spec = spec_with(PRUNERS["hyperband"], trials=30)
    undisturbed = make_world(spec)
    expected = undisturbed.run()
    counter = Deadly(make_world(spec).storage, None, after=False)
    make_world_of_counter = make_world(spec)
    counter._storage = make_world_of_counter.storage
    make_world_of_counter.run(storage=counter, max_lanes=max_lanes)

    for nth in range(counter.n_writes):
        world = make_world(spec)
        with pytest.raises(Killed):
            world.run(storage=Deadly(world.storage, nth, after=after), max_lanes=max_lanes)
        left = world.storage.get_study("small")
        finished = {t.number: t.finished_at for t in world.trials() if t.state.finished}
        if left.state is not StudyState.COMPLETED:
            study = world.run(max_lanes=9, workers=3, dead=left.driver)
            assert study.test == expected.test, nth
        assert world.bits() == undisturbed.bits(), nth
        assert {t.number: t.finished_at for t in world.trials() if t.number in finished} == finished


@pytest.mark.parametrize("n_finished", [0, 1, 14, 25])
def test_a_pause_in_the_middle_of_brackets_changes_nothing(make_world, n_finished):
    spec = spec_with(HALVING)
    world, undisturbed = make_world(spec), make_world(spec)
    undisturbed.run()

    def look():
        if world.n_finished >= n_finished:
            world.coordinator.ask(Wanted.PAUSE)

    paused = world.run(max_lanes=5, each_poll=look)
    if paused.state is StudyState.PAUSED:
        world.storage.move_study("small", StudyState.QUEUED)
        world.run(max_lanes=64, workers=1)

    assert world.bits() == undisturbed.bits()


def test_a_stop_ends_the_brackets_that_have_begun(make_world):
    world = make_world(spec_with(HALVING, trials=400))

    def stop():
        if world.n_finished:
            world.coordinator.ask(Wanted.STOP)

    study = world.run(max_lanes=5, each_poll=stop)

    assert study.state is StudyState.COMPLETED
    assert study.counts[TrialState.RUNNING] == 0
    begun = {number for task in tasks(world) for number in task.numbers}
    assert {n for n, reason in reasons(world).items() if reason == "cancelled"}.isdisjoint(begun)


def test_trials_added_later_are_judged_among_the_whole_bracket(make_world):
    world = make_world(spec_with(HALVING, trials=10))
    world.run()
    before = reasons(world)
    world.storage.move_study("small", StudyState.QUEUED)
    world.storage.set_trials("small", 18)

    study = world.run(max_lanes=3)

    assert study.state is StudyState.COMPLETED
    assert {n: reasons(world)[n] for n in before} == before
    curves = world.storage.curves("small", range(18))
    first = {n: curves[n].column("validation_log_loss")[0] for n in range(18)}
    ranked = sorted(first, key=lambda n: (first[n], n))
    assert all(reasons(world)[n] == "halving@1" for n in ranked[6:] if n >= 10)
    assert all(reasons(world)[n] != "halving@1" for n in ranked[:6] if n >= 10)
