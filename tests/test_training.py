"""A trial's settings: defaults by optimizer, activation, task and kind of data."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from hpo.dataset import Task
from hpo.errors import SpecError
from hpo.training import NEVER, LaneSettings, SharedSettings, check_loss, n_outputs, settings_of


def settings(params=None, *, task=Task.CLASSIFICATION, n_classes=10, images=False):
    return settings_of(params or {}, task=task, n_classes=n_classes, images=images)


def test_a_trial_without_params_has_the_contracts_defaults():
    shared, lane = settings()

    assert shared == SharedSettings(
        hidden=(64, 64), loss="cross_entropy", batch_size=64, scaling="standardize"
    )
    assert (lane.activation, lane.initializer, lane.optimizer) == ("relu", "he_normal", "adam")
    assert (lane.learning_rate, lane.epochs, lane.patience) == (1e-3, 50, NEVER)
    assert (lane.dropout, lane.input_dropout, lane.l1, lane.l2, lane.bias_init) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "make", "fields"),
    [
        ("adagrad", torch.optim.Adagrad, {"epsilon": "eps"}),
        ("rmsprop", torch.optim.RMSprop, {"rho": "alpha", "epsilon": "eps"}),
        ("adam", torch.optim.Adam, {"epsilon": "eps"}),
    ],
)
def test_knobs_default_to_those_of_torch(name, make, fields):
    defaults = make([torch.zeros(1, requires_grad=True)]).defaults

    lane = settings({"optimizer": name})[1]

    assert {ours: getattr(lane, ours) for ours in fields} == {
        ours: defaults[its] for ours, its in fields.items()
    }
    if name == "adam":
        assert (lane.beta1, lane.beta2) == defaults["betas"]


def test_a_knob_that_the_optimizer_does_not_read_holds_nothing():
    lane = settings({"optimizer": "sgd", "momentum": 0.5, "beta1": 0.5})[1]

    assert (lane.momentum, lane.beta1, lane.beta2, lane.rho, lane.epsilon) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [
        ("relu", "he_normal"),
        ("leaky_relu", "he_normal"),
        ("elu", "he_normal"),
        ("tanh", "glorot_uniform"),
        ("sigmoid", "glorot_uniform"),
        ("linear", "glorot_uniform"),
    ],
)
def test_weights_begin_as_suits_the_activation(activation, initializer):
    assert settings({"activation": activation})[1].initializer == initializer
    assert settings({"activation": activation, "initializer": "zeros"})[1].initializer == "zeros"


def test_the_loss_and_the_scaling_follow_the_data():
    assert settings(n_classes=2)[0].loss == "binary_cross_entropy"
    assert settings(n_classes=3)[0].loss == "cross_entropy"
    assert settings(task=Task.REGRESSION, n_classes=0)[0].loss == "mse"
    assert settings(images=True)[0].scaling == "minmax"
    assert settings({"scaling": "none"}, images=True)[0].scaling == "none"


def test_a_loss_that_does_not_fit_says_what_would():
    with pytest.raises(SpecError, match="leave it out for cross_entropy") as caught:
        check_loss("mse", Task.CLASSIFICATION, 3)

    assert caught.value.field == "parameters.loss"


def test_only_cross_entropy_wants_an_output_for_each_class():
    assert [n_outputs(loss, 5) for loss in ("cross_entropy", "binary_cross_entropy", "mse")] == [5, 1, 1]


def test_settings_are_plain_numbers_and_names_that_can_be_grouped_by():
    shared, lane = settings({"hidden_units": "32-16", "dropout": 0, "learning_rate": 1})

    assert hash(shared) == hash(settings({"hidden_units": "32-16"})[0])
    kinds = {field.name: field.type for field in dataclasses.fields(LaneSettings)}
    assert all(type(getattr(lane, name)).__name__ == kind for name, kind in kinds.items())
