"""Losses are torch.nn's, with smoothing, class weights and deltas by lane; metrics see the plain cross-entropy."""

from itertools import product

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from hpo.fused.targets import Target, balanced_weights
from hpo.fused.trainer import Trainer
from hpo.testing.lanes import (
    assert_lanes_match,
    assert_same_bits,
    class_weights_of,
    make_data,
    make_task,
    reference_lane,
    train_lanes,
)

SMOOTHING = (0.0, 0.1, 0.35)
RATES = {"sgd": 0.05, "nesterov": 0.02, "rmsprop": 0.003, "adam": 0.003}
# (classes, the loss with what all lanes share): every loss, with and without class weights
ALL_LOSSES = [
    (0, {"loss": "mse"}),
    (0, {"loss": "mae"}),
    (0, {"loss": "huber"}),
    *[(n, {"loss": "cross_entropy", "class_weight": w}) for n in (2, 3, 17) for w in ("none", "balanced")],
    (2, {"loss": "binary_cross_entropy"}),
    (2, {"loss": "binary_cross_entropy", "class_weight": "balanced"}),
]


def trials_of(n_classes, common):
    """A trial for each optimizer and smoothing or delta, activations in turn."""
    knobs = [{"label_smoothing": e} for e in SMOOTHING] if n_classes else []
    knobs = knobs or [{"huber_delta": delta} for delta in (0.01, 0.3, 2.0)]
    return [
        {
            "optimizer": optimizer,
            "activation": ("relu", "tanh", "leaky_relu")[place % 3],
            "learning_rate": rate,
            "l1": 1e-4,
            "l2": 1e-3,
            "dropout": 0.2,
        }
        | knob
        | common
        for place, ((optimizer, rate), knob) in enumerate(product(RATES.items(), knobs))
    ]


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize(
    ("n_classes", "hidden", "batch"), [(3, "33-17", 32), (10, "64-64", 64), (17, 40, 32)]
)
def test_smoothing_and_class_weights_have_the_bits_of_plain_torch(n_classes, hidden, batch, class_weight):
    data = make_data(10 * batch + 11, 20, n_classes)
    common = {"hidden_units": hidden, "batch_size": batch, "class_weight": class_weight}

    assert_lanes_match(make_task(data, trials_of(n_classes, common)), data, epochs=4)


@pytest.mark.parametrize(("n_classes", "common"), ALL_LOSSES)
def test_in_double_precision_every_loss_agrees_to_a_billionth(n_classes, common):
    data = make_data(241, 7, n_classes)  # the last batch has one row
    common = common | {"hidden_units": "13-5", "batch_size": 24}

    task = make_task(data, trials_of(n_classes, common))

    assert_lanes_match(task, data, epochs=5, dtype=torch.float64, tolerance=1e-9)


@pytest.mark.parametrize(("n_classes", "common"), ALL_LOSSES)
def test_the_losses_of_the_curve_are_trained_ones_and_log_loss_is_plain(n_classes, common):
    data = make_data(100, 20, n_classes, n_validation=150)
    still = common | {"hidden_units": 13, "batch_size": 32, "learning_rate": 1e-30}
    task = make_task(data, [still | {"label_smoothing": e, "huber_delta": 0.1 + e} for e in SMOOTHING])
    (group,) = Trainer(task, data).groups

    measured = group.train_epoch(1)

    for place, lane in enumerate(group.lanes):
        plain = reference_lane(task, lane, data)
        for rows, columns in zip(data.folds[0], (measured.train, measured.validation), strict=True):
            out, y = plain.outputs(torch.from_numpy(rows.x)), torch.from_numpy(rows.y)
            whole = plain.loss(out, y.long() if common["loss"] == "cross_entropy" else y.unsqueeze(1))
            assert columns[place, 0].item() == pytest.approx(float(whole), rel=1e-5)
            if n_classes:
                log_loss = columns[place, 1].item()
                logits = out if out.shape[1] > 1 else torch.cat([torch.zeros_like(out), out], 1)
                assert log_loss == pytest.approx(float(nn.CrossEntropyLoss()(logits, y.long())), rel=1e-5)


@pytest.mark.parametrize("n_classes", [0, 2, 3, 10, 17])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_a_lane_that_does_not_smooth_is_the_same_beside_lanes_that_do(n_classes, class_weight):
    data = make_data(37, 13, n_classes)
    common = {"hidden_units": "23-5", "batch_size": 10, "class_weight": class_weight, "learning_rate": 0.03}
    common |= {} if n_classes else {"loss": "huber"}
    steady = [common | {"optimizer": optimizer} for optimizer in RATES]
    others = [common | {"label_smoothing": 0.2, "huber_delta": 0.1}] * 3
    alone, mixed = make_task(data, steady), make_task(data, [*steady, *others])

    apart, together = train_lanes(alone, data, epochs=3), train_lanes(mixed, data, epochs=3)

    for key, weights in apart.items():
        assert_same_bits(together[key], weights, key)
    assert not np.array_equal(together[3, 0, 0].weights[0], together[4, 0, 0].weights[0])


def test_a_lane_without_smoothing_stays_finite_where_a_log_probability_is_not():
    data = make_data(10, 3, 3)
    wild = {"hidden_layers": 0, "hidden_units": 8, "batch_size": 10}
    task = make_task(data, [wild, wild | {"label_smoothing": 0.1}])
    (group,) = Trainer(task, data).groups
    group.network.weights[0][:2] = torch.tensor([1e38, -1e38, -1e38]).view(1, 3, 1)
    x, labels = torch.ones(10, 3), torch.zeros(10, dtype=torch.int64)

    loss, plain = group.loss.per_row(group.network.forward(x), Target(labels.float(), labels))

    assert plain[0].isfinite().all()
    assert torch.equal(loss[0], plain[0])


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 7 + [1] * 2 + [2] * 11)

    weights = balanced_weights(torch.from_numpy(labels), 3)

    wanted = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    assert weights.tolist() == pytest.approx(wanted.tolist(), rel=1e-15)


def test_a_class_without_a_training_row_weighs_one_and_the_others_one_on_average():
    labels = torch.tensor([0, 0, 0, 2])

    weights = balanced_weights(labels, 4)

    assert weights.tolist() == pytest.approx([4 / 6, 1.0, 2.0, 1.0])
    assert weights[labels].mean() == 1.0


def test_each_fold_balances_by_its_own_training_rows():
    data = make_data(60, 20, 3, folds=2)  # no last batch of a single row
    task = make_task(data, [{"class_weight": "balanced"}])

    first, second = (class_weights_of(task, data, training) for training, _ in data.folds)

    assert not torch.equal(first, second)
    assert_lanes_match(task, data, epochs=3)
