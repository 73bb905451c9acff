"""A cohort from task to results: protocol, ends of trials, best weights, resuming."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from hpo.dataset import Rows, TargetScaling
from hpo.fused import facts
from hpo.fused.optimizers import OPTIMIZERS
from hpo.fused.scoring import score
from hpo.fused.trainer import Trainer
from hpo.states import TrialState
from hpo.testing.lanes import assert_same_bits, make_data, make_task, reference_lane, train_lanes

SMALL = {"hidden_units": 13, "batch_size": 16, "epochs": 4}


def run(task, data):
    """Reports and outcome of a cohort that keeps all."""
    reports = []
    outcome = Trainer(task, data).run(lambda report: reports.append(report))
    return reports, outcome


def ended(reports):
    return {result.number: result for report in reports for result in report.ended}


def mixed_task(data, batch_norm=False, **changes):
    """Trials of all three kinds of network, each with its own epochs and patience; number 0 diverges."""
    activations = ("linear", "sigmoid", "prelu", "maxout", "gelu", "relu")
    trials = [
        SMALL | {"optimizer": o, "activation": a, "epochs": 3 + place, "patience": 3, "dropout": 0.2}
        for place, (o, a) in enumerate(zip(OPTIMIZERS, activations, strict=False))
    ]
    trials = [trial | {"batch_norm": batch_norm} for trial in trials]
    trials[0] |= {"learning_rate": 1e30}
    return replace(make_task(data, trials, repeats=2), **changes)


def test_every_trial_ends_once_with_its_curve():
    data = make_data(60, 5, 3)

    reports, outcome = run(mixed_task(data), data)

    results = ended(reports)
    assert sorted(n for report in reports for n in (r.number for r in report.ended)) == list(range(6))
    assert results[0].state is TrialState.FAIL
    assert results[0].reason.startswith("diverged@")
    for report in reports:
        assert all(result.epochs == report.epoch for result in report.ended)
        assert len(report.numbers) == len(report.values) == len(report.best_values)
    for result in results.values():
        assert result.curve.n_epochs == result.epochs
    best = min((r for r in results.values() if r.value is not None), key=lambda r: r.value)
    assert (outcome.best_number, outcome.best_value) == (best.number, best.value)
    assert outcome.lane_steps == 4 * sum(2 * len(report.numbers) for report in reports)


def test_the_epoch_in_which_a_trial_diverged_is_no_number_and_no_best():
    data = make_data(60, 5, 3)
    wild = SMALL | {"optimizer": "sgd", "learning_rate": 1e30, "activation": "linear"}

    reports, _ = run(make_task(data, [wild, SMALL], metric="accuracy"), data)

    assert math.isnan(reports[0].values[0])
    assert math.isnan(reports[0].best_values[0])
    assert all(math.isnan(x) for x in ended(reports)[0].curve.block)


@pytest.mark.parametrize(("n_classes", "objective"), [(2, "f1"), (3, "accuracy"), (0, "mae")])
def test_curves_hold_the_objective_and_the_usual_metrics_once(n_classes, objective):
    data = make_data(60, 5, n_classes)

    reports, _ = run(make_task(data, [SMALL], metric=objective), data)

    usual = ["accuracy", "log_loss"] if n_classes else ["rmse", "r2"]
    names = ["loss", objective, *(name for name in usual if name != objective)]
    curve = ended(reports)[0].curve
    measured = [f"{part}_{name}" for part in ("train", "validation") for name in names]
    assert curve.columns == (*measured, *facts.COLUMNS)
    assert curve.column(f"validation_{objective}") == pytest.approx([r.values[0] for r in reports], rel=1e-6)


def test_the_weights_that_come_back_are_those_of_the_best_epoch():
    data = make_data(40, 20, 3, n_validation=50)
    task = make_task(data, [{"epochs": 30, "learning_rate": 0.05}])

    reports, outcome = run(task, data)

    result = ended(reports)[0]
    assert result.best_epoch < 30  # it overfits
    short = make_task(data, [{"epochs": result.best_epoch, "learning_rate": 0.05}])
    plain = run(short, data)[1]
    assert_same_bits(outcome.best_lanes[0], plain.best_lanes[0])


def test_validation_values_are_those_of_plain_torch_with_dropout_off():
    data = make_data(64, 20, 3)
    task = make_task(data, [{"epochs": 1, "dropout": 0.4, "input_dropout": 0.2}], metric="f1")
    training, validation = data.folds[0]

    reports, _ = run(task, data)

    plain = reference_lane(task, task.lanes[0], data)
    plain.train_epoch(torch.from_numpy(training.x), torch.from_numpy(training.y), 1)
    predicted = plain.outputs(torch.from_numpy(validation.x)).argmax(1)
    assert reports[0].values[0] == pytest.approx(f1_score(validation.y, predicted, average="macro"))


def test_each_trial_keeps_the_weights_of_its_own_best_epoch():
    data = make_data(40, 20, 3, n_validation=50)
    fast = {"epochs": 30, "learning_rate": 0.05}
    slow = {"epochs": 30, "learning_rate": 1e-4}  # better with every epoch, and never good
    still = {"epochs": 30, "learning_rate": 1e-30}  # never better than after its first epoch
    task = make_task(data, [slow, fast, still])

    reports, outcome = run(task, data)

    best = {number: result.best_epoch for number, result in ended(reports).items()}
    assert outcome.best_number == 1
    assert best[2] == 1 < best[1] < best[0] == 30
    alone = run(make_task(data, [fast]), data)[1]
    assert_same_bits(outcome.best_lanes[0], alone.best_lanes[0])


@pytest.mark.parametrize("n_classes", [3, 17])
def test_of_classes_that_are_equally_likely_the_first_is_predicted(n_classes):
    data = make_data(60, 5, n_classes)
    task = make_task(data, [SMALL | {"initializer": "zeros"}], metric="accuracy")
    (group,) = Trainer(task, data).groups

    tally = group.validate()

    assert tally.correct[0] == (data.folds[0][1].y == 0).sum()


def test_weights_are_left_out_when_they_do_not_beat_the_best_so_far():
    data = make_data(60, 5, 3)
    task = make_task(data, [SMALL])
    _, outcome = run(task, data)

    worse = run(replace(task, beat=outcome.best_value - 0.1), data)[1]
    better = run(replace(task, beat=outcome.best_value + 0.1), data)[1]

    assert worse.best_lanes is None
    assert worse.best_value == outcome.best_value
    assert better.best_lanes is not None


def test_ties_go_to_the_lowest_number():
    data = make_data(60, 5, 3)

    assert run(make_task(data, [SMALL, SMALL, SMALL]), data)[1].best_number == 0


def test_on_diverged_worst_completes_with_a_value_but_is_never_the_best():
    data = make_data(60, 5, 0)
    trials = [SMALL | {"optimizer": "sgd", "learning_rate": 0.4, "activation": "linear", "epochs": 60}, SMALL]
    task = replace(make_task(data, trials), on_diverged="worst")

    reports, outcome = run(task, data)

    result = ended(reports)[0]
    assert (result.state, result.reason.split("@")[0]) == (TrialState.COMPLETE, "diverged")
    (*seen, _) = result.curve.column("validation_rmse")
    assert result.value == pytest.approx(max(seen), rel=1e-6)
    assert outcome.best_number == 1


def test_a_mask_ends_trials_as_pruned_and_leaves_the_rest_alone():
    data = make_data(60, 5, 3)
    task = replace(make_task(data, [SMALL, SMALL | {"dropout": 0.3}]), judged=True)
    reports = []

    def drop_the_first(report):
        reports.append(report)
        return [number != 0 or report.epoch < 2 for number in report.numbers]

    outcome = Trainer(task, data).run(drop_the_first)

    results = ended(reports)
    assert (results[0].state, results[0].epochs) == (TrialState.PRUNED, 2)
    assert (results[1].state, results[1].epochs) == (TrialState.COMPLETE, 4)
    assert reports[2].numbers == (1,)
    assert outcome.best_number == 1
    alone = ended(run(make_task(data, [SMALL, SMALL | {"dropout": 0.3}]), data)[0])[1]
    assert results[1] == alone


def test_what_report_raises_goes_through():
    data = make_data(60, 5, 3)

    def stop(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(make_task(data, [SMALL]), data).run(stop)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize("judged", [False, True])
def test_stopping_anywhere_and_resuming_changes_nothing(n_classes, judged):
    data = make_data(50, 5, n_classes, folds=2)
    task = mixed_task(data, batch_norm=judged, judged=judged)
    trainer, reports, checkpoints = Trainer(task, data), [], []

    def note(report):
        reports.append(report)
        checkpoints.append(trainer.checkpoint())

    outcome = trainer.run(note)

    for place, checkpoint in enumerate(checkpoints[:-1]):
        rest, again = run(replace(task, checkpoints=(checkpoint,)), data)
        assert repr(rest) == repr(reports[place + 1 :])
        assert (again.best_number, again.best_value) == (outcome.best_number, outcome.best_value)
        for got, wanted in zip(again.best_lanes, outcome.best_lanes, strict=True):
            assert_same_bits(got, wanted)


def test_the_same_task_gives_the_same_numbers_and_another_seed_gives_others():
    data = make_data(60, 5, 3)
    task = make_task(data, [SMALL | {"dropout": 0.2}])

    first, again, other = (run(t, data)[0] for t in (task, task, replace(task, seed=1)))

    assert first == again
    assert first[0].values != other[0].values


def test_a_kept_model_scores_its_validation_rows_as_it_did_in_training():
    data = replace(
        make_data(60, 5, 0, folds=1),
        target_scalings=(TargetScaling(kind="standardize", mean=100.0, scale=7.0),),
    )
    task = make_task(data, [SMALL], repeats=3)

    reports, outcome = run(task, data)

    names = ("rmse", "r2", "mae", "mse")
    facts = SimpleNamespace(n_features=5, n_classes=0, positive=None, target_scaling=data.target_scaling(0))
    scores = score(task.shared, task.lanes[0].settings, outcome.best_lanes, facts, data.folds[0][1], names)
    assert np.mean(scores["rmse"]) == pytest.approx(ended(reports)[0].value, rel=1e-6)
    assert set(scores) == set(names)
    json.dumps(scores)
    assert all(np.isfinite(of).all() and len(of) == 3 for of in scores.values())


def test_training_until_an_epoch_keeps_its_weights_whatever_the_values_and_needs_no_validation_rows():
    data = make_data(60, 5, 3)
    ((rows, _),) = data.folds
    nothing = Rows(x=rows.x[:0], y=rows.y[:0])
    blind = replace(data, folds=((rows, nothing),))
    trial = SMALL | {"epochs": 9, "patience": 1, "min_delta": 10.0, "dropout": 0.4}
    task = replace(make_task(data, [trial], repeats=2), until=5)

    reports, outcome = run(task, blind)

    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    result = ended(reports)[0]
    assert (result.state, result.reason, result.epochs) == (TrialState.COMPLETE, None, 5)
    wanted = train_lanes(task, data, epochs=5)
    for lane in outcome.best_lanes:
        assert_same_bits(lane, wanted[0, lane.repeat, 0])


def test_training_until_an_epoch_that_diverges_leaves_no_weights():
    data = make_data(60, 5, 0)
    task = replace(make_task(data, [SMALL | {"learning_rate": 1e30, "optimizer": "sgd"}]), until=4)

    reports, outcome = run(task, data)

    assert ended(reports)[0].state is TrialState.FAIL
    assert outcome.best_lanes is None


def test_a_checkpoint_holds_all_of_a_best_trial_that_has_ended():
    data = make_data(60, 5, 3)
    shape = SMALL | {"batch_norm": True, "activation": "prelu"}
    task = make_task(data, [shape | {"epochs": 2}, shape | {"epochs": 4, "learning_rate": 1e-9}])
    trainer, checkpoints = Trainer(task, data), []

    outcome = trainer.run(lambda report: checkpoints.append(trainer.checkpoint()))
    _, again = run(replace(task, checkpoints=(checkpoints[2],)), data)

    assert outcome.best_number == again.best_number == 0
    assert set(again.best_lanes[0].extras) == {"gamma", "beta", "slope", "mean", "variance"}
    assert_same_bits(again.best_lanes[0], outcome.best_lanes[0])
