"""Checks before a search: what must pass passes, what cannot work fails and says why."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hpo.dataset import Rows
from hpo.fused.checks import FEW_ROWS, RATES, few_rows, memorise, read_rates, try_rates
from hpo.fused.reference import ReferenceLane
from hpo.testing.lanes import make_data
from hpo.training import settings_of, shape_of


def settings_for(data, **params):
    return settings_of({"hidden_units": 32, **params}, task=data.task, n_classes=data.n_classes)


def with_rows(data, x, y):
    rows = Rows(x=np.ascontiguousarray(x, dtype=np.float32), y=np.ascontiguousarray(y, dtype=np.float32))
    return replace(data, folds=((rows, data.folds[0][1]),))


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_a_sound_network_memorises_a_few_rows_whatever_its_regularisation(n_classes):
    data = make_data(200, 8, n_classes)

    found = memorise(*settings_for(data, dropout=0.9, l2=10.0, weight_decay=1.0, learning_rate=0.003), data)

    assert found.passed
    assert (found.n_rows, found.conflicts) == (FEW_ROWS, 0)
    assert found.learning_rate == found.own_rate == 0.003
    assert found.value >= found.goal


def test_random_labels_are_memorised_too():
    data = make_data(200, 8, 3)
    labels = np.random.default_rng(1).integers(0, 3, 200)

    assert memorise(*settings_for(data), with_rows(data, data.folds[0][0].x, labels)).passed


def test_equal_rows_with_different_targets_cannot_be_memorised():
    data = make_data(40, 8, 2)
    x = np.repeat(data.folds[0][0].x[:1], 40, axis=0)

    found = memorise(*settings_for(data), with_rows(data, x, np.arange(40) % 2))

    assert not found.passed
    assert found.conflicts == found.n_rows == FEW_ROWS
    assert found.value == pytest.approx(0.5)


def test_weights_that_are_all_zero_never_learn():
    data = make_data(200, 8, 3)

    found = memorise(*settings_for(data, initializer="zeros"), data)

    assert not found.passed
    assert found.conflicts == 0


def test_a_rate_that_is_too_low_is_told_from_a_network_that_cannot():
    data = make_data(200, 8, 3)

    found = memorise(*settings_for(data, learning_rate=1e-9), data)

    assert found.passed
    assert found.own_rate == 1e-9
    assert found.learning_rate > 1e-5


def test_the_few_rows_are_of_all_classes_in_turn():
    y = np.array([0] * 90 + [1] * 7 + [2] * 3, dtype=np.float32)
    rows = Rows(x=np.arange(100, dtype=np.float32)[:, None], y=y)

    few = few_rows(rows, 3, seed=0)

    assert np.bincount(few.y.astype(int)).tolist() == [10, 7, 3]
    assert len(np.unique(few.x)) == FEW_ROWS
    many = Rows(x=np.zeros((300, 1), np.float32), y=np.arange(300, dtype=np.float32) % 50)
    assert len(np.unique(few_rows(many, 50, seed=0).y)) == 50


def test_the_first_loss_is_that_of_chance_unless_outputs_begin_too_large():
    data = make_data(400, 20, 3)
    large = with_rows(data, data.folds[0][0].x * 100, data.folds[0][0].y)

    sound, _ = try_rates(*settings_for(data), data, rates=[1e-3])
    wild, _ = try_rates(*settings_for(data), large, rates=[1e-3])

    assert sound.passed
    assert sound.untrained == pytest.approx(math.log(3))
    assert sound.initial == pytest.approx(sound.untrained, rel=1.0)
    assert not wild.passed


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_the_suggested_range_holds_the_rate_that_plain_torch_does_best_with(optimizer):
    data = make_data(320, 20, 3)
    shared, settings = settings_for(data, optimizer=optimizer)
    rows = data.folds[0][0]
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)

    def trained(rate):
        lane = replace(settings, learning_rate=rate)
        plain = ReferenceLane(shared, lane, shape_of(shared, lane, data.n_features, data.n_classes), seed=3)
        losses = [plain.train_epoch(x, y, epoch) for epoch in range(1, 31)]
        return losses[-1] if math.isfinite(losses[-1]) else math.inf

    _, found = try_rates(shared, settings, data)

    tried = [10.0**exponent for exponent in range(-6, 2)]
    best = min(tried, key=trained)
    assert found.low <= best <= found.high
    assert found.low >= 10 * RATES[0]  # a range, not everything
    assert found.high < 10
    assert found.best < found.edge


def test_a_lucky_rate_among_bad_ones_is_not_the_best():
    rates = [10.0**exponent for exponent in range(-5, 2)]

    found = read_rates(rates, [1.0, 0.9, 0.4, 0.2, 0.3, 5.0, 0.0], start=1.0, steps=10)

    assert found.best == pytest.approx(1e-2)
    assert found.edge == pytest.approx(1.0)
    assert found.steepest == pytest.approx(10**-3.5)
    assert (found.low, found.high) == (0.0003, 0.01)


@pytest.mark.parametrize("losses", [[1.0, 1.0, 0.99], [2.0, None, None]])
def test_where_the_loss_falls_at_no_rate_nothing_is_suggested(losses):
    found = read_rates([1e-3, 1e-2, 1e-1], losses, start=1.0, steps=10)

    assert not found.passed
    assert (found.best, found.low, found.high, found.edge) == (None,) * 4


def test_diverging_rates_are_beyond_the_edge():
    data = make_data(320, 20, 0)

    _, found = try_rates(*settings_for(data, optimizer="sgd", activation="linear"), data)

    assert found.losses[-1] is None
    assert found.edge <= found.rates[found.losses.index(None)]
    assert found.high < found.edge
