"""Law 1: every lane is what torch.nn and torch.optim make of it."""

from itertools import product

import pytest
import torch

from hpo.fused import activations, optimizers
from hpo.fused.trainer import Trainer
from hpo.space import Value
from hpo.testing.lanes import (
    assert_lanes_match,
    assert_near,
    make_data,
    make_task,
    reference_lane,
)

ACTIVATIONS, OPTIMIZERS = tuple(activations.ACTIVATIONS), tuple(optimizers.OPTIMIZERS)
RATES = dict.fromkeys(OPTIMIZERS, 0.003) | {
    "sgd": 0.05,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.02,
    "adadelta": 1.0,
}
# Torch itself gives these other bits in the tail of a buffer whose size is no multiple of 32.
UNEVEN = ("sigmoid", "elu", "silu", "selu", "softplus", "mish")
EVERYTHING_ON: dict[str, Value] = {
    "l1": 1e-4,
    "l2": 1e-3,
    "dropout": 0.3,
    "input_dropout": 0.1,
    "bias_init": 0.01,
}


def varied(place: int) -> dict[str, Value]:
    """Knobs in which lanes of one activation or optimizer differ."""
    return {
        "dropout": 0.1 * (place % 5),
        "rho": 0.9 + place % 36 / 500,
        "elu_alpha": 0.8 + place % 3 / 10,
        "negative_slope": 0.07 + place % 3 / 10,
    }


def pairs(
    *, plain: bool = False, every: int = 4, calm: float = 1.0, **params: Value
) -> list[dict[str, Value]]:
    """Trials of an optimizer and an activation, all pairs or every second, third, ... of them.

    not plain: with penalties and dropout, rates differing
    calm: a factor for learning rates, where some would run away, and have no digits to agree in
    """
    return [
        {
            "optimizer": optimizer,
            "activation": activation,
            "learning_rate": calm * RATES[optimizer] * (1 + place % 36 / 40),
        }
        | ({} if plain else EVERYTHING_ON | varied(place))
        | params
        for place, (optimizer, activation) in enumerate(product(OPTIMIZERS, ACTIVATIONS))
        if (OPTIMIZERS.index(optimizer) + ACTIVATIONS.index(activation)) % every == 0
    ]


@pytest.mark.parametrize(
    ("n_classes", "hidden", "batch_size", "plain", "every"),
    [
        (3, "33-17", 32, False, 1),
        (3, "33-17", 32, True, 3),
        (10, "64-64", 64, False, 4),
        (17, "40", 32, False, 4),
    ],
)
def test_every_optimizer_and_activation_has_the_bits_of_plain_torch(
    n_classes, hidden, batch_size, plain, every
):
    data = make_data(10 * batch_size, 20, n_classes)
    trials = pairs(plain=plain, every=every, hidden_units=hidden, batch_size=batch_size)

    assert_lanes_match(make_task(data, trials), data, epochs=5)  # 50 steps


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_cohort_of_one_activation_has_the_bits_of_plain_torch(activation):
    data = make_data(160, 20, 3)  # what backward needs to keep depends on which activations there are
    trials = [t for t in pairs() if t["activation"] == activation]

    assert_lanes_match(make_task(data, trials), data, epochs=3)


def test_of_equal_pieces_of_maxout_the_first_learns_as_in_plain_torch():
    data = make_data(160, 20, 3)
    trials = [
        {"activation": "maxout", "initializer": name, "maxout_pieces": 3, "optimizer": "sgd"}
        for name in ("constant", "zeros")
    ]

    assert_lanes_match(make_task(data, trials), data, epochs=2)


def test_a_last_batch_of_any_size_has_the_bits_of_plain_torch():
    data = make_data(64 * 3 + 10, 20, 3)
    trials = [t for t in pairs(batch_size=64) if t["activation"] not in UNEVEN]

    assert_lanes_match(make_task(data, trials), data, epochs=6)


def test_a_net_without_hidden_layers_has_the_bits_of_plain_torch():
    data = make_data(320, 20, 10)

    assert_lanes_match(make_task(data, pairs(hidden_layers=0, hidden_units=8)), data, epochs=5)


@pytest.mark.parametrize(("rows", "hidden"), [(64 * 2 + 40, "50-20"), (64 * 2 + 9, "33-16")])
def test_a_wide_first_layer_of_odd_width_has_the_bits_of_plain_torch(rows, hidden):
    data = make_data(rows, 700, 10)
    trials = pairs(every=6, calm=0.3, hidden_units=hidden, batch_size=64)
    steady = [t for t in trials if t["activation"] not in UNEVEN]

    assert_lanes_match(make_task(data, steady), data, epochs=4)


@pytest.mark.parametrize("batch_size", [10, 30])
def test_odd_widths_and_small_batches_have_the_bits_of_plain_torch(batch_size):
    data = make_data(5 * batch_size, 23, 5)  # every layer's in * out * batch is above 400
    trials = pairs(hidden_units="33-13", batch_size=batch_size)
    steady = [t for t in trials if t["activation"] not in UNEVEN]

    assert_lanes_match(make_task(data, steady), data, epochs=4)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_in_double_precision_fifty_steps_agree_to_a_billionth(n_classes):
    data = make_data(250, 7, n_classes)
    trials = pairs(hidden_units="13-5", batch_size=24, calm=1.0 if n_classes else 0.2)

    assert_lanes_match(make_task(data, trials), data, epochs=5, dtype=torch.float64, tolerance=1e-9)


@pytest.mark.parametrize(
    ("n_classes", "hidden", "batch_size", "rows"),
    [(0, "1-23", 10, 71), (2, "5-33", 3, 31), (3, "23-1", 3, 31), (5, "33-13", 1, 20), (17, "5-13", 10, 21)],
)
def test_a_last_batch_of_one_row_is_that_of_plain_torch(n_classes, hidden, batch_size, rows):
    data = make_data(rows, 7, n_classes)
    each = pairs(hidden_units=hidden, batch_size=batch_size)[:: len(ACTIVATIONS) + 1]
    trials = [trial | {"learning_rate": 1e-3} for trial in each]

    assert_lanes_match(make_task(data, trials), data, epochs=3, dtype=torch.float64, tolerance=1e-9)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize("hidden", ["1", "8", "5-13"])
def test_a_tiny_net_agrees_step_by_step(n_classes, hidden):
    data = make_data(10, 7, n_classes)
    shape = {"hidden_units": int(hidden) if "-" not in hidden else hidden, "batch_size": 10}
    task = make_task(data, pairs(calm=1.0 if n_classes else 0.2, **shape))
    trainer = Trainer(task, data)
    rows = data.folds[0][0]
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    plain = {lane.number: reference_lane(task, lane, data) for lane in task.lanes}

    for epoch in range(1, 6):  # an epoch is one step; then the fused lane is put where the plain one is
        for group in trainer.groups:
            group.train_epoch(epoch)
            for place, lane in enumerate(group.lanes):
                reference = plain[lane.number]
                reference.train_epoch(x, y, epoch)
                got, wanted = group.lane_weights(group.flat, place), reference.lane_weights()
                assert_near(got, wanted, 1e-6, (epoch, lane.settings), floor=0.1)
                group.layout.put(group.flat[place], wanted, group.shape_of(lane))


def test_the_training_loss_of_the_curve_is_that_of_plain_torch():
    data = make_data(100, 20, 3)
    task = make_task(data, [{"batch_size": 32, "dropout": 0.2}, {"batch_size": 32, "optimizer": "sgd"}])
    rows = data.folds[0][0]
    (group,) = Trainer(task, data).groups

    measured = group.train_epoch(1)

    for place, lane in enumerate(group.lanes):
        plain = reference_lane(task, lane, data)
        loss = plain.train_epoch(torch.from_numpy(rows.x), torch.from_numpy(rows.y), 1)
        assert measured.train[place, 0].item() == pytest.approx(loss, rel=1e-6)
