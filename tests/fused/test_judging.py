"""Several objectives and constraints on the result, as the trainer judges them."""

import math
from dataclasses import replace

import pytest

from hpo.constraints import Constraint
from hpo.fused.trainer import Trainer
from hpo.states import TrialState
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.lanes import make_data, make_task

DATA = make_data(n_classes=3)
TRIALS = [{"learning_rate": rate, "hidden_units": 8, "epochs": 6} for rate in (0.003, 0.03, 0.3)]


def trained(*, objectives=(), constraints=(), metric="log_loss", known=None, repeats=1, **changed):
    """Results by number, and what the trainer gives back, of three trials of six epochs."""
    task = replace(
        make_task(DATA, TRIALS, metric=metric, repeats=repeats),
        objectives=tuple(ObjectiveSpec(metric=name, direction=Direction.MINIMIZE) for name in objectives),
        constraints=tuple(constraints),
        known=known or {},
        **changed,
    )
    results = {}
    done = Trainer(task, DATA).run(lambda report: results.update((r.number, r) for r in report.ended))
    return results, done


def test_values_are_those_of_the_curve_at_the_first_objectives_best_epoch():
    alone, _ = trained()
    several, _ = trained(objectives=["log_loss", "f1", "accuracy", "n_parameters", "epochs"])

    for number, one in alone.items():
        result = several[number]
        at = result.best_epoch - 1
        assert (result.best_epoch, result.epochs) == (one.best_epoch, one.epochs)
        assert result.value is None
        assert result.values[0] == one.value
        assert result.values[1] == result.curve.column("validation_f1")[at]
        assert result.values[2] == one.curve.column("validation_accuracy")[at]
        # 4 -> 8 -> 8 -> 3, as make_data and the defaults have it
        assert result.values[3] == sum(
            a * b + b for a, b in zip((DATA.n_features, 8, 8), (8, 8, 3), strict=True)
        )
        assert result.values[4] == 6


def test_more_objectives_change_nothing_of_how_trials_train():
    alone, done = trained()
    several, also_done = trained(objectives=["log_loss", "auc", "train_seconds"])

    assert also_done.best_number == done.best_number
    assert also_done.best_value == done.best_value
    for number, one in alone.items():
        for column in one.curve.columns:
            assert several[number].curve.column(column) == pytest.approx(
                one.curve.column(column), nan_ok=True
            )


def test_seconds_of_a_cohort_are_shared_by_the_trials_that_trained_in_each_epoch(monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr("hpo.fused.trainer.time.monotonic", lambda: float(next(ticks)))
    trials = [{"learning_rate": 0.01, "hidden_units": 8, "epochs": epochs} for epochs in (1, 2, 4)]
    task = replace(
        make_task(DATA, trials),
        objectives=(ObjectiveSpec(metric="log_loss"), ObjectiveSpec(metric="train_seconds")),
    )
    results = {}

    Trainer(task, DATA).run(lambda report: results.update((r.number, r) for r in report.ended))

    # Every epoch takes a second: of three trials, of two, and twice of one.
    assert [results[n].values[1] for n in range(3)] == pytest.approx(
        [1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 2]
    )


def test_seconds_before_a_checkpoint_count():
    task = replace(
        make_task(DATA, TRIALS),
        objectives=(ObjectiveSpec(metric="log_loss"), ObjectiveSpec(metric="train_seconds")),
    )
    trainer = Trainer(task, DATA)

    class Stop(Exception):
        pass

    def stop_at_three(report):
        if report.epoch == 3:
            raise Stop

    with pytest.raises(Stop):
        trainer.run(stop_at_three)
    before = {number: trial.seconds for number, trial in trainer.trials.items()}
    resumed = Trainer(replace(task, checkpoints=(trainer.checkpoint(),)), DATA)

    assert all(seconds > 0 for seconds in before.values())
    assert {number: trial.seconds for number, trial in resumed.trials.items()} == before


def test_a_trial_that_breaks_a_constraint_is_complete_and_leaves_no_weights():
    free, done = trained()
    bound = min(r.value for r in free.values()) + 1e-9
    results, now = trained(constraints=[Constraint("log_loss", f"> {bound!r}")])

    second = min((r for r in free.values() if r.number != done.best_number), key=lambda r: r.value)
    assert {r.state for r in results.values()} == {TrialState.COMPLETE}
    assert [n for n, r in results.items() if not r.feasible] == [done.best_number]
    assert results[done.best_number].value == free[done.best_number].value
    assert now.best_number == second.number
    assert now.best_lanes is not None


def test_without_a_feasible_trial_there_is_no_model():
    results, done = trained(constraints=[Constraint("epochs", "< 6")])

    assert not any(r.feasible for r in results.values())
    assert (done.best_number, done.best_lanes) == (None, None)


def test_constraints_read_hyperparameters_as_the_coordinator_knows_them():
    known = {0: {"l2": 5.0}, 1: {"l2": 6.0}, 2: {"l2": 7.0}}

    results, _ = trained(constraints=[Constraint("epochs", "<= l2")], known=known)

    assert [results[n].feasible for n in range(3)] == [False, True, True]


def test_a_metric_that_was_never_objective_is_in_the_curve_when_a_constraint_reads_it():
    results, _ = trained(constraints=[Constraint("train_recall - recall", "<= 0.05")])

    for result in results.values():
        at = result.best_epoch - 1
        gap = result.curve.column("train_recall")[at] - result.curve.column("validation_recall")[at]
        assert result.feasible is (gap <= 0.05)


def test_repeats_are_judged_by_their_mean():
    results, _ = trained(objectives=["log_loss", "accuracy"], repeats=3)

    for result in results.values():
        assert result.stderr is not None
        assert result.values[1] == result.curve.column("validation_accuracy")[result.best_epoch - 1]


def test_a_diverged_trial_has_no_values_and_is_not_called_infeasible():
    trials = [{"learning_rate": 1e30, "optimizer": "sgd", "hidden_units": 8, "epochs": 3}]
    task = replace(
        make_task(DATA, trials),
        objectives=(ObjectiveSpec(metric="log_loss"), ObjectiveSpec(metric="epochs")),
        constraints=(Constraint("epochs", "> 100"),),
    )
    ended = []

    Trainer(task, DATA).run(lambda report: ended.extend(report.ended))

    assert [(r.state, r.values, r.feasible) for r in ended] == [(TrialState.FAIL, (), True)]


def test_a_pruned_trial_has_the_values_of_its_best_epoch():
    task = replace(
        make_task(DATA, TRIALS),
        judged=True,
        objectives=(ObjectiveSpec(metric="log_loss"), ObjectiveSpec(metric="epochs")),
    )
    ended = []

    def report(result):
        ended.extend(result.ended)
        return [number != 1 for number in result.numbers]

    Trainer(task, DATA).run(report)

    pruned = next(r for r in ended if r.number == 1)
    assert pruned.state is TrialState.PRUNED
    assert pruned.value is None
    assert math.isfinite(pruned.values[0])
    assert pruned.values[1] == 1
