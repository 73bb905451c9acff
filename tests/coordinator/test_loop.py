"""A study from its first trial to its test score."""

import math

import optuna
import optuna_dashboard
import pytest

from hpo.cohort import CohortTask, ScoreTask
from hpo.dataset import Rows
from hpo.space import Choice, Range
from hpo.states import StudyState, TrialState
from hpo.study import Direction, Limits
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import LEARNING_RATE, data_of, grid_of, space_of, spec_of

ALL_DIVERGE = Range(low=20.0, high=30.0, type="float")


def test_a_study_runs_to_its_end_and_says_how_good_it_is(make_world):
    world = make_world(spec_of(trials=20))

    study = world.run()

    best = min(world.trials(), key=lambda t: (t.value, t.number))
    assert (study.state, study.reason, study.driver) == (StudyState.COMPLETED, None, None)
    assert study.counts[TrialState.COMPLETE] == 20
    assert study.test["number"] == best.number == world.storage.best_trials("small")[0].number
    assert study.test["log_loss"] == best.value
    assert {"accuracy", "f1", "log_loss"} <= set(study.test)
    assert study.test["scored"] == 1
    assert world.storage.model("small").number == best.number


def test_the_dashboard_has_the_diagnosis_once_a_study_has_ended(make_world, sqlite):
    world = make_world(spec_of(trials=20, space=space_of({"learning_rate": ALL_DIVERGE})), url=sqlite)

    world.run()

    note = optuna_dashboard.get_note(optuna.load_study(study_name="small", storage=sqlite))
    assert (
        "- **severe** 20 of 20 trials failed, 20 of them because they diverged; try: look at the reasons"
        in note
    )
    assert "`hpo diagnose small`" in note


@pytest.mark.parametrize(("versions", "wanted"), [({}, "exact"), ({"precision": "fast"}, "fast")])
def test_all_cohorts_train_in_the_precision_the_study_was_made_in(make_world, versions, wanted):
    world = make_world(spec_of(trials=20), versions=versions)

    world.run(max_lanes=7)

    tasks = [task for task in world.pools[0].submitted if isinstance(task, CohortTask)]
    assert {task.precision for task in tasks} == {wanted}


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("max_lanes", [None, 5, 256])
def test_results_do_not_depend_on_workers_or_the_cut(make_world, workers, max_lanes):
    space = space_of({"learning_rate": LEARNING_RATE, "hidden_units": Choice(choices=(8, 16, 23))})
    spec = spec_of(trials=90, space=space, repeats=2)
    world, reference = make_world(spec), make_world(spec)

    study = world.run(workers=workers, max_lanes=max_lanes)

    assert study.test == reference.run(workers=1, max_lanes=2).test
    assert world.bits() == reference.bits()
    assert sorted(set(world.trained())) == list(range(90))


@pytest.mark.parametrize("direction", list(Direction))
def test_the_kept_model_is_the_best_trials_in_both_directions(make_world, direction):
    world = make_world(spec_of(trials=70, direction=direction))

    study = world.run(max_lanes=7)

    sign = direction.sign
    best = min(world.trials(), key=lambda t: (sign * t.value, t.number))
    assert study.test["number"] == best.number
    assert study.test["log_loss"] == best.value


@pytest.mark.parametrize("faults", [[], [Fault(submission=0, epoch=3)]])
def test_of_equal_trials_the_lowest_number_is_kept_even_when_it_ends_last(make_world, faults):
    space = space_of({"activation": Choice(choices=("relu", "tanh"))}, learning_rate=0.01)
    world = make_world(spec_of(trials=16, space=space))

    study = world.run(max_lanes=4, faults=faults)

    assert study.test["number"] == world.storage.model("small").number == 0
    assert all(task.id > 0 for task in world.pools[0].submitted[:-1])  # no model was trained once more


def test_a_grid_of_2000_points_is_trained_exactly_once(make_world):
    world = make_world(spec_of(trials=2000, epochs=1, space=grid_of(50, 40), sampler="grid"))

    study = world.run()

    points = {(t.params["learning_rate"], t.params["l2"]) for t in world.trials(TrialState.COMPLETE)}
    assert study.state is StudyState.COMPLETED
    assert len(points) == 2000
    assert sorted(world.trained()) == list(range(2000))


def test_test_rows_leave_the_coordinator_once_and_last(make_world):
    data = data_of()
    world = make_world(spec_of(trials=30), data=data)

    world.run(max_lanes=5)

    pool = world.pools[0]
    secret = data.scaled["standardize"].test[0]
    *training, last = pool.submitted
    assert all(isinstance(task, CohortTask) for task in training)
    assert isinstance(last, ScoreTask)
    assert last.test is secret
    seen = [rows for known in pool.data.values() for fold in known.folds for rows in fold]
    assert all(isinstance(rows, Rows) and rows.x is not secret.x for rows in seen)


def test_without_test_rows_there_is_no_test_score(make_world):
    world = make_world(spec_of(trials=5), data=data_of(test=False))

    study = world.run()

    assert (study.state, study.test) == (StudyState.COMPLETED, None)
    assert world.storage.model("small") is not None


def test_trials_get_the_data_of_their_own_scaling(make_world):
    space = space_of({"scaling": Choice(choices=("none", "minmax"))})
    data = data_of(scalings=("none", "minmax"))
    world = make_world(spec_of(trials=20, space=space), data=data)

    world.run()

    pool = world.pools[0]
    assert len(pool.data) == 2
    for task in pool.submitted[:-1]:
        assert f"-{task.shared.scaling}-" in task.data


def test_a_study_in_which_every_trial_diverges_has_failed_and_says_why(make_world):
    world = make_world(spec_of(trials=8, space=space_of({"learning_rate": ALL_DIVERGE})))

    study = world.run()

    assert study.state is StudyState.FAILED
    assert study.reason == "not one trial is complete: 8 diverged"
    assert study.test is None
    assert {t.reason for t in world.trials()} == {"diverged@1"}


def test_one_diverged_trial_harms_no_other(make_world):
    space = space_of({"learning_rate": Choice(choices=(0.1, 50.0))})
    world = make_world(spec_of(trials=20, space=space))

    study = world.run()

    assert study.state is StudyState.COMPLETED
    for trial in world.trials():
        assert (trial.value is None) == (trial.params["learning_rate"] == 50.0)


def test_what_is_watched_ends_with_the_whole_truth(make_world):
    world = make_world(spec_of(trials=25))

    study = world.run()

    last = world.seen[-1]
    assert (last.state, last.n_finished, last.n_trials) == (StudyState.COMPLETED, 25, 25)
    assert (last.best_number, last.best_value) == (study.test["number"], study.test["log_loss"])
    assert last.counts[TrialState.RUNNING] == 0
    assert all(math.isfinite(progress.trials_per_s) for progress in world.seen)


def test_what_is_watched_says_how_many_slots_train(make_world):
    world = make_world(spec_of(trials=25))

    world.run(workers=3)

    assert {progress.n_slots for progress in world.seen} == {3}
    assert {progress.n_busy for progress in world.seen} <= {0, 1, 2, 3}
    assert max(progress.n_busy for progress in world.seen) == 3
    assert world.seen[-1].n_busy == 0


def test_more_trials_later_continue_the_numbers(make_world):
    world, whole = make_world(spec_of(trials=10)), make_world(spec_of(trials=25))
    world.run()
    world.storage.move_study("small", StudyState.QUEUED)
    world.storage.set_trials("small", 25)

    study = world.run()
    whole.run()

    assert world.bits() == whole.bits()
    assert sorted(world.trained()) == list(range(25))
    assert study.test["scored"] == 2


def test_limits_retries_of_zero_are_obeyed(make_world):
    world = make_world(spec_of(trials=8, limits=Limits(retries=0)))

    world.run(workers=2, faults=[Fault(submission=0)])

    assert [t.reason for t in world.trials()] == ["lost"] * 4 + [None] * 4
