"""A search in rounds, driven: budgets of epochs, waiting, restarts, notes, and ranges that are stored."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest

from hpo.coordinator.capacity import Machine
from hpo.coordinator.planner import Resolver, estimate
from hpo.samplers.registry import preview
from hpo.samplers.rounds import Rounds
from hpo.space import Fixed, Range
from hpo.states import StudyState, TrialState, Wanted
from hpo.study import SamplerSpec
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import L2, data_of, space_of, spec_of

MACHINE = Machine(n_slots=2, memory_bytes=2**30)
EPOCHS = (2, 4, 8)
SHORT_RATES = space_of({"learning_rate": Range(low=1e-5, high=1e-3, log=True, type="float"), "l2": L2})


def coarse(*, widen=False, **changes):
    """Three rounds of ten trials; the simulated value is best near a learning rate of 0.01."""
    sampler = SamplerSpec(name="coarse_to_fine", seed=0, widen=widen)
    return replace(spec_of(**{"trials": 30, "epochs": 8} | changes), sampler=sampler)


def after(world, wanted, n_finished):
    """Ask for it once so many trials have ended."""

    def look():
        if world.n_finished >= n_finished:
            world.coordinator.ask(wanted)

    return look


def test_every_trial_trains_as_long_as_its_round_says(make_world):
    world = make_world(coarse())

    world.run()

    assert [trial.epochs for trial in world.trials()] == [2] * 10 + [4] * 10 + [8] * 10
    assert [trial.budget for trial in world.trials()] == [2] * 10 + [4] * 10 + [None] * 10


def test_a_schedule_runs_over_the_budget():
    spec = spec_of(epochs=20, space=space_of(schedule="cosine"))
    resolver = Resolver(spec, data_of().info)

    short = resolver.resolve(0, {"learning_rate": 0.1, "l2": 0.0}, 5)

    assert (short.lane.schedule, short.lane.epochs) == ("cosine", 5)
    assert resolver.resolve(0, {"learning_rate": 0.1, "l2": 0.0}).lane.epochs == 20


def test_a_budget_is_a_most_and_never_makes_a_trial_longer():
    space = space_of({"epochs": Range(low=3, high=20, type="int")})
    resolver = Resolver(spec_of(epochs=20, space=space), data_of().info)

    assert resolver.resolve(0, {"epochs": 4}, 5).lane.epochs == 4
    assert resolver.resolve(0, {"epochs": 9}, 5).lane.epochs == 5


def test_later_rounds_come_nearer_to_the_best(make_world):
    world = make_world(coarse())
    rivals = make_world(spec_of(trials=30, epochs=8), name="random")

    world.run()
    rivals.run()

    assert world.storage.best_trials("small")[0].value < rivals.storage.best_trials("random")[0].value


@pytest.mark.parametrize(("workers", "max_lanes"), [(1, 30), (2, 3), (4, 1)])
def test_results_do_not_depend_on_workers_or_cohorts(make_world, workers, max_lanes):
    reference, world = make_world(coarse()), make_world(coarse())

    reference.run()
    world.run(workers=workers, max_lanes=max_lanes)

    assert world.bits() == reference.bits()
    assert world.storage.get_study("small").notes == reference.storage.get_study("small").notes


@pytest.mark.parametrize("n_finished", [1, 10, 14, 20, 24])
def test_a_study_that_was_paused_goes_on_as_if_it_had_not_been(make_world, n_finished):
    reference, world = make_world(coarse()), make_world(coarse())
    reference.run()

    paused = world.run(max_lanes=3, each_poll=after(world, Wanted.PAUSE, n_finished))
    world.storage.move_study("small", StudyState.QUEUED)
    ended = world.run(max_lanes=4)

    assert (paused.state, ended.state) == (StudyState.PAUSED, StudyState.COMPLETED)
    assert world.bits() == reference.bits()
    assert ended.notes == reference.storage.get_study("small").notes


def test_lost_workers_change_nothing(make_world):
    reference, world = make_world(coarse()), make_world(coarse())

    reference.run()
    world.run(max_lanes=4, faults=[Fault(submission=1), Fault(submission=5, epoch=3)])

    assert world.bits() == reference.bits()


def test_a_trial_that_an_earlier_driver_left_keeps_its_budget(make_world):
    world = make_world(coarse())
    world.run(workers=1, max_lanes=4, each_poll=after(world, Wanted.PAUSE, 4))
    left = [trial.number for trial in world.trials(TrialState.RUNNING)]
    world.storage.move_study("small", StudyState.QUEUED)

    world.run()

    assert left
    assert {world.trials()[number].epochs for number in left} == {2}


def test_rounds_are_noted_with_the_study_when_they_end(make_world):
    world = make_world(coarse())
    noted = []

    def look():
        noted.append(len(world.storage.get_study("small").notes.get("rounds", ())))

    study = world.run(each_poll=look)

    assert sorted(set(noted)) == [0, 2, 3]  # the first and the coming one; then the third's
    assert [r["epochs"] for r in study.notes["rounds"]] == list(EPOCHS)
    assert all(r["ended"] for r in study.notes["rounds"])


def test_more_trials_than_the_study_file_says_train_at_full_length(make_world):
    world = make_world(coarse())
    world.run()

    world.storage.set_trials("small", 45)
    world.storage.move_study("small", StudyState.QUEUED)
    world.run()

    assert [trial.epochs for trial in world.trials()[30:]] == [8] * 15


SETTINGS = ({"learning_rate": 0.5, "l2": 1e-3}, {"learning_rate": 0.25, "l2": 1e-4})


@pytest.mark.parametrize("workers", [1, 3])
def test_enqueued_trials_of_the_study_file_train_at_full_length_and_rounds_share_the_rest(
    make_world, workers
):
    spec = coarse(trials=32, enqueue=SETTINGS)
    world = make_world(spec, enqueue=SETTINGS)

    study = world.run(workers=workers, max_lanes=4)

    assert [trial.sampled for trial in world.trials()] == [False] * 2 + [True] * 30
    assert [trial.epochs for trial in world.trials()] == [8] * 2 + [2] * 10 + [4] * 10 + [8] * 10
    assert [r["trials"] for r in study.notes["rounds"]] == [10, 10, 10]


@pytest.mark.parametrize("n_finished", [3, 10, 17])
def test_trials_enqueued_in_between_take_no_place_of_a_round(make_world, n_finished):
    world = make_world(coarse())

    def later():
        if world.storage.get_study("small").n_trials == 30 and world.n_finished >= n_finished:
            world.storage.enqueue("small", [(setting, None) for setting in SETTINGS])

    world.run(workers=1, max_lanes=3, each_poll=later)

    own = [trial for trial in world.trials() if trial.sampled]
    assert len(world.trials()) == 32
    assert [trial.budget for trial in own] == [2] * 10 + [4] * 10 + [None] * 10
    assert [trial.epochs for trial in world.trials() if not trial.sampled] == [8, 8]


# Ranges in the database


def test_every_value_is_stored_with_the_study_files_range(make_world, tmp_path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    world = make_world(coarse(), url=url)

    world.run()

    study = optuna.load_study(study_name="small", storage=url)
    [rates] = {trial.distributions["learning_rate"] for trial in study.trials}
    assert (rates.low, rates.high) == (1e-4, 1.0)


def test_values_beyond_the_written_range_are_stored_in_a_range_that_holds_them(make_world, tmp_path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    world = make_world(coarse(widen=True, space=SHORT_RATES), url=url)

    world.run()

    study = optuna.load_study(study_name="small", storage=url)
    [rates] = {trial.distributions["learning_rate"] for trial in study.trials}
    values = [trial.params["learning_rate"] for trial in study.trials]
    assert (rates.low, rates.high) == pytest.approx((1e-6, 1e-2))
    assert max(values[:10]) <= 1e-3 < max(values[10:]) <= rates.high
    assert study.best_params["learning_rate"] == world.storage.best_trials("small")[0].params["learning_rate"]


# Estimates


def test_an_estimate_counts_the_epochs_of_each_round():
    data = data_of().info
    spec = coarse(trials=300)
    epochs = [Rounds(trials=300, epochs=8).at_index(index).epochs for index in range(3)]

    rounds = estimate(spec, data, preview(spec, 60), MACHINE)
    full = estimate(spec, data, preview(spec_of(trials=300, epochs=8), 60), MACHINE)

    assert rounds.n_trials == 300
    assert rounds.flops / full.flops == pytest.approx(sum(epochs) / 24)


def test_a_preview_of_a_study_without_rounds_is_its_first_plans():
    spec = spec_of(trials=10, space=space_of(batch_size=8))

    assert [plan.number for plan in preview(spec, 4)] == [0, 1, 2, 3]
    assert isinstance(spec.parameters.parameters["batch_size"], Fixed)
