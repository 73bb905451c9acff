"""Laws 2 and 3: a lane's numbers are its own, whoever stands beside it."""

import random
from dataclasses import replace

import pytest
import torch

from hpo.fused import activations, initializers, optimizers
from hpo.fused.trainer import Trainer
from hpo.hyperparams import CYCLIC_MODES, SCHEDULES
from hpo.model import rung_of
from hpo.study import CLASSIFICATION_METRICS, REGRESSION_METRICS
from hpo.testing.lanes import assert_same_bits, make_data, make_task, train_lanes, weights_of

ACTIVATIONS, OPTIMIZERS = tuple(activations.ACTIVATIONS), tuple(optimizers.OPTIMIZERS)
INITIALIZERS = tuple(initializers.INITIALIZERS)
WIDTHS = (1, 5, 13, 23, 33)


def any_trial(rnd: random.Random) -> dict:
    return {
        "activation": rnd.choice(ACTIVATIONS),
        "elu_alpha": rnd.choice((1.0, 0.7)),
        "negative_slope": rnd.choice((0.01, 0.3)),
        "optimizer": rnd.choice(OPTIMIZERS),
        "initializer": rnd.choice([name for name in INITIALIZERS if name != "zeros"]),
        "learning_rate": rnd.choice((1e-3, 0.03)),
        "dropout": rnd.choice((0.0, 0.3)),
        "input_dropout": rnd.choice((0.0, 0.2)),
        "l1": rnd.choice((0.0, 1e-3)),
        "l2": rnd.choice((0.0, 1e-2)),
        "bias_init": rnd.choice((0.0, 0.01)),
        "centered": rnd.choice((False, True)),
        "weight_decay": rnd.choice((None, 0.1)),
        "clip_norm": rnd.choice((None, 0.3)),
        "clip_value": rnd.choice((None, None, 0.01)),
        "skip_norm": rnd.choice((None, None, 1.0)),
        "schedule": rnd.choice(SCHEDULES),
        "cyclic_mode": rnd.choice(CYCLIC_MODES),
        "step_epochs": 1,
        "warmup_epochs": rnd.choice((0, 0, 1)),
        "label_smoothing": rnd.choice((0.0, 0.0, 0.2)),
        "huber_delta": rnd.choice((0.1, 1.0)),
    }


def any_loss(rnd: random.Random, n_classes: int) -> dict:
    losses = {0: ("mse", "mae", "huber"), 2: ("binary_cross_entropy", "cross_entropy")}
    return {
        "loss": rnd.choice(losses.get(n_classes, ("cross_entropy",))),
        "class_weight": rnd.choice(("none", "balanced")),
    }


def any_cohort(rnd: random.Random, n_trials: int):
    """A cohort of a random shape, with its data: odd widths, small batches, a last batch of one row or more."""
    batch = rnd.choice((1, 3, 10, 33))
    rows = batch * rnd.choice((1, 2)) + rnd.choice((0, 1, 1, 2))
    n_classes = rnd.choice((0, 2, 3, 10, 17))
    data = make_data(rows, rnd.choice(WIDTHS), n_classes, n_validation=rnd.choice((1, 7, 20)))
    widths = [rnd.choice(WIDTHS) for _ in range(rnd.choice((0, 1, 2, 3)))]
    shape = {
        "batch_size": batch,
        "hidden_layers": len(widths),
        "batch_norm": batch > 1 and rows > 1 and rnd.random() < 0.3,
        "maxout_pieces": rnd.choice((2, 3)),
    } | any_loss(rnd, n_classes)
    rungs = rnd.random() < 0.4
    trials = []
    for _ in range(n_trials):
        own = [rnd.randint(lowest_of(width), width) if rungs else width for width in widths]
        trials.append(any_trial(rnd) | shape | ({"hidden_units": as_units(own)} if own else {}))
    return make_task(data, trials, rungs=rungs), data


def lowest_of(width):
    """The least width that is padded as this one is."""
    return min(own for own in range(1, width + 1) if rung_of(own) == rung_of(width))


def as_units(widths):
    """Widths as a study writes them."""
    return widths[0] if len(widths) == 1 else "-".join(map(str, widths))


def only(task, numbers):
    """The task with these trials only."""
    return replace(task, lanes=tuple(lane for lane in task.lanes if lane.number in numbers))


def measured_of(trainer):
    """What the first epoch shows of every trial, by number; NaN as 0, so that it equals itself."""
    measured = {}
    for group in trainer.groups:
        found = group.train_epoch(1)
        for place, lane in enumerate(group.lanes):
            measured[lane.number] = [found.train[place].nan_to_num(), found.validation[place].nan_to_num()]
    return measured


def results_of(task, data):
    """How every trial ends, with its whole curve, as text: in it NaN equals NaN."""
    ended = []
    Trainer(task, data).run(lambda report: ended.extend(report.ended))
    return {result.number: repr(result) for result in ended}


@pytest.mark.parametrize("seed", range(4))
def test_a_lane_has_the_same_bits_in_any_cohort_at_any_place(seed):
    rnd = random.Random(seed)
    for _ in range(40):
        n_trials = rnd.choice((2, 3, 9, 20))
        task, data = any_cohort(rnd, n_trials)
        few = rnd.sample(range(n_trials), rnd.choice((1, 1, n_trials // 2 or 1)))

        together = train_lanes(task, data, epochs=2)
        apart = train_lanes(only(task, few), data, epochs=2)

        for key, weights in apart.items():
            assert_same_bits(weights, together[key], (task.shared, data.n_features, few))


def test_what_is_measured_of_a_lane_depends_on_nobody_either():
    rnd = random.Random(7)
    for _ in range(40):
        task, data = any_cohort(rnd, 9)
        metrics = CLASSIFICATION_METRICS if data.n_classes else REGRESSION_METRICS
        task = replace(task, metric=rnd.choice(metrics))
        few = rnd.sample(range(9), rnd.choice((1, 4)))

        wide, narrow = (measured_of(Trainer(t, data)) for t in (task, only(task, few)))

        for number, measured in narrow.items():
            assert all(torch.equal(a, b) for a, b in zip(measured, wide[number], strict=True)), task.shared


def test_lanes_dropped_on_the_way_leave_the_others_as_they_are():
    rnd = random.Random(3)
    for _ in range(20):
        task, data = any_cohort(rnd, 8)
        trainer, whole = Trainer(task, data), train_lanes(task, data, epochs=3)

        for epoch, living in ((1, {0, 2, 3, 7}), (2, {2}), (3, {2})):
            for group in trainer.groups:
                if group.lanes:
                    group.train_epoch(epoch)
                    group.keep([i for i, lane in enumerate(group.lanes) if lane.number in living])

        ((key, weights),) = weights_of(trainer.groups).items()
        assert_same_bits(weights, whole[key], task.shared)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_lane_that_turns_nan_harms_nobody(optimizer):
    data = make_data(65, 13, 3)
    trials = [{"optimizer": optimizer, "activation": a, "hidden_units": "23-5"} for a in ACTIVATIONS]
    wild = {"optimizer": optimizer, "activation": "linear", "hidden_units": "23-5", "learning_rate": 1e30}
    calm, mixed = make_task(data, trials), make_task(data, [*trials, wild])

    alone, beside = train_lanes(calm, data, epochs=3), train_lanes(mixed, data, epochs=3)

    assert not all(
        torch.from_numpy(w).isfinite().all() and abs(w).max() < 1e6 for w in beside[len(trials), 0, 0].weights
    )
    for key, weights in alone.items():
        assert_same_bits(beside[key], weights, key)


def test_how_a_wild_trial_ends_depends_on_nobody():
    rnd = random.Random(11)
    ends = set()
    for _ in range(60):
        task, data = any_cohort(rnd, 6)
        wild = {number: 10.0 ** rnd.uniform(1, 31) for number in range(3)}
        task = replace(task, metric=rnd.choice(("accuracy", "f1", "log_loss")) if data.n_classes else "rmse")
        task = replace(
            task,
            lanes=tuple(
                replace(
                    lane,
                    settings=replace(
                        lane.settings,
                        learning_rate=wild.get(lane.number, lane.settings.learning_rate),
                        epochs=3,
                    ),
                )
                for lane in task.lanes
            ),
        )

        together = results_of(task, data)

        for numbers in ({rnd.randrange(3)}, {0, 1, 2, 4}):
            for number, result in results_of(only(task, numbers), data).items():
                assert result == together[number], task.shared
                ends.add(result.split("reason=")[1].split(",")[0])
    assert ends == {"None", *(repr(f"diverged@{epoch}") for epoch in (1, 2, 3))}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_even_where_a_lane_turns_nan_does_not_depend_on_the_neighbours_activation(activation):
    data = make_data(11, 5, 0)
    shape = {"hidden_units": "33-8", "batch_size": 3, "bias_init": 0.01}
    wild = shape | {"activation": activation, "dropout": 0.3, "learning_rate": 1e30}
    mad = [wild | {"optimizer": optimizer} for optimizer in OPTIMIZERS]
    calm = [shape | {"activation": a} for a in ACTIVATIONS]
    for seed in range(4):
        task = make_task(data, [*mad, *calm], seed=seed)

        beside = train_lanes(task, data, epochs=1)

        for key, weights in train_lanes(only(task, set(range(len(mad)))), data, epochs=1).items():
            assert_same_bits(weights, beside[key], (key, seed))


def test_repeats_and_folds_change_only_themselves():
    data = make_data(50, 5, 3, folds=2)
    task = make_task(data, [{"dropout": 0.2, "hidden_units": 13}] * 3, repeats=2)
    one = replace(task, lanes=tuple(lane for lane in task.lanes if (lane.repeat, lane.fold) == (1, 1)))

    all_lanes, some = train_lanes(task, data, epochs=2), train_lanes(one, data, epochs=2)

    for key, weights in some.items():
        assert_same_bits(weights, all_lanes[key], key)
    distinct = {all_lanes[0, repeat, fold].weights[0].tobytes() for repeat in range(2) for fold in range(2)}
    assert len(distinct) == 4
