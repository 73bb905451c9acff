"""A trial's settings: defaults by optimizer, activation, task and kind of data."""

from __future__ import annotations

import dataclasses
from math import inf
from typing import get_type_hints

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpo.dataset import Task
from hpo.errors import SpecError
from hpo.hyperparams import (
    HYPERPARAMETERS,
    INITIALIZER_SCALES,
    INITIALIZERS,
    OPTIMIZER_KNOBS,
    OPTIMIZERS,
    SCHEDULE_KNOBS,
    SCHEDULES,
    WIDTH_RULES,
    check_value,
)
from hpo.relevance import READ_BY
from hpo.training import NEVER, LaneSettings, SharedSettings, check_loss, n_outputs, settings_of


def settings(params=None, *, task=Task.CLASSIFICATION, n_classes=10, images=False):
    return settings_of(params or {}, task=task, n_classes=n_classes, images=images)


def test_a_trial_without_params_has_the_contracts_defaults():
    shared, lane = settings()

    assert shared == SharedSettings(
        hidden=(64, 64), loss="cross_entropy", batch_size=64, scaling="standardize", maxout_pieces=2
    )
    assert (lane.activation, lane.initializer, lane.optimizer) == ("relu", "he_normal", "adam")
    assert (lane.learning_rate, lane.epochs, lane.patience) == (1e-3, 50, NEVER)
    assert (lane.dropout, lane.input_dropout, lane.l1, lane.l2, lane.bias_init) == (0, 0, 0, 0, 0)


TORCHS = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "nesterov": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "amsgrad": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "adamw": torch.optim.AdamW,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
}
ITS_NAMES = {
    "epsilon": ("eps",),
    "rho": ("rho", "alpha"),
    "centered": ("centered",),
    "weight_decay": ("weight_decay",),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_knobs_default_to_those_of_torch(name):
    optimizer = TORCHS[name]([torch.zeros(1, requires_grad=True)], lr=0.1)
    defaults = optimizer.defaults | dict(
        zip(("beta1", "beta2"), optimizer.defaults.get("betas", ()), strict=False)
    )

    lane = settings({"optimizer": name})[1]

    for knob in OPTIMIZER_KNOBS[name]:
        if knob != "momentum":  # torch has none unless asked; 0.9 is the course's
            (its,) = [its for its in ITS_NAMES.get(knob, (knob,)) if its in defaults]
            assert getattr(lane, knob) == defaults[its]


def test_a_knob_that_the_optimizer_does_not_read_holds_nothing():
    lane = settings({"optimizer": "sgd", "momentum": 0.5, "beta1": 0.5})[1]

    assert (lane.momentum, lane.beta1, lane.beta2, lane.rho, lane.epsilon) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [
        ("relu", "he_normal"),
        ("leaky_relu", "he_normal"),
        ("elu", "he_normal"),
        ("prelu", "he_normal"),
        ("maxout", "he_normal"),
        ("gelu", "he_normal"),
        ("silu", "he_normal"),
        ("softplus", "he_normal"),
        ("mish", "he_normal"),
        ("selu", "lecun_normal"),
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


def test_settings_can_be_grouped_by():
    shared, _ = settings({"hidden_units": "32-16"})

    assert hash(shared) == hash(settings({"hidden_units": "32-16", "dropout": 0.5, "optimizer": "sgd"})[0])


def test_a_width_is_padded_to_its_own_rung_only_when_asked():
    plain, lane = settings({"hidden_units": "50-17"})
    padded, same = settings_of({"hidden_units": "50-17"}, task=Task.CLASSIFICATION, n_classes=10, rungs=True)

    assert (plain.hidden, padded.hidden) == ((50, 17), (56, 20))
    assert lane == same
    assert lane.hidden == (50, 17)


def test_rules_make_widths_from_the_data_and_from_components_when_there_are_fewer():
    def hidden(**params):
        data = {"n_inputs": 64, "n_rows": 1078}
        return settings_of({"hidden_layers": 2, **params}, task=Task.CLASSIFICATION, n_classes=10, **data)[
            1
        ].hidden

    assert hidden(hidden_units="mean") == (46, 28)
    assert hidden(hidden_units="samples", samples_alpha=2) == (7, 7)
    assert hidden(hidden_units="mean", scaling="pca", pca_components=16) == (14, 12)
    assert hidden(hidden_units="mean", scaling="pca", pca_components=500) == (46, 28)


def test_components_count_only_where_the_scaling_has_some():
    assert settings({"scaling": "whiten", "pca_components": 7})[0].scaling == "whiten-7"
    assert settings({"scaling": "minmax", "pca_components": 7})[0].scaling == "minmax"


def test_classes_weigh_alike_in_a_regression():
    assert settings({"class_weight": "balanced"})[0].class_weight == "balanced"
    assert settings({"class_weight": "balanced"}, task=Task.REGRESSION, n_classes=0)[0].class_weight == "none"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_is_given_its_own_knobs_and_no_others(optimizer):
    knobs = {knob for read in OPTIMIZER_KNOBS.values() for knob in read} - {"weight_decay"}
    given = dict.fromkeys(knobs, 0.5) | {"centered": True}

    lane = settings({"optimizer": optimizer, **given})[1]
    plain = settings({"optimizer": optimizer})[1]

    for knob in knobs:
        read = knob in OPTIMIZER_KNOBS[optimizer]
        assert getattr(lane, knob) == (given[knob] if read else 0)
        assert getattr(plain, knob) == OPTIMIZER_KNOBS[optimizer].get(knob, 0)


def test_only_adamw_decays_unless_told_to():
    decays = {name: settings({"optimizer": name})[1].weight_decay for name in OPTIMIZERS}

    assert decays == dict.fromkeys(OPTIMIZERS, 0.0) | {"adamw": 0.01}
    assert settings({"optimizer": "adamw", "weight_decay": 0})[1].weight_decay == 0
    assert settings({"optimizer": "sgd", "weight_decay": 0.5})[1].weight_decay == 0.5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_given_its_own_knobs_and_no_others(schedule):
    given = {
        "step_epochs": 3,
        "decay": 0.5,
        "rate_floor": 0.5,
        "cycle_epochs": 3,
        "cyclic_mode": "triangular2",
    }

    lane = settings({"schedule": schedule, **given})[1]
    plain = settings({"schedule": schedule})[1]

    for knob, value in given.items():
        read = knob in SCHEDULE_KNOBS[schedule]
        nothing = type(value)()
        assert getattr(lane, knob) == (value if read else nothing)
        assert getattr(plain, knob) == SCHEDULE_KNOBS[schedule].get(knob, nothing)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_an_initializer_is_given_a_scale_where_it_reads_one(initializer):
    lane = settings({"initializer": initializer, "init_scale": 3.0})[1]
    plain = settings({"initializer": initializer})[1]

    assert lane.init_scale == (3.0 if initializer in INITIALIZER_SCALES else 0.0)
    assert plain.init_scale == INITIALIZER_SCALES.get(initializer, 0.0)
    assert bool(plain.init_mode) == bool(plain.init_distribution) == (initializer == "variance_scaling")


def test_a_cut_off_that_is_not_asked_for_is_infinite():
    plain = settings()[1]
    lane = settings({"clip_norm": 1, "clip_value": 2, "skip_norm": 3})[1]

    assert (plain.clip_norm, plain.clip_value, plain.skip_norm) == (inf, inf, inf)
    assert (lane.clip_norm, lane.clip_value, lane.skip_norm) == (1.0, 2.0, 3.0)


def values(name):
    """Values that a hyperparameter may have; whole numbers too where a float is wanted."""
    h = HYPERPARAMETERS[name]
    if h.kind == "flag":
        return st.booleans()
    if h.kind == "choice":
        return st.sampled_from(h.choices)
    if h.kind == "widths":
        dashed = st.lists(st.integers(1, 300), min_size=2, max_size=16).map(lambda w: "-".join(map(str, w)))
        return st.integers(1, 65_536) | dashed | st.sampled_from(WIDTH_RULES)
    low, high = max(h.low, -100), min(h.high, 100_000)
    if h.kind == "int":
        return st.integers(int(low), int(high))
    floats = st.floats(low, high, exclude_min=h.low_open, exclude_max=h.high_open and high == h.high)
    return floats | st.integers(int(low) + h.low_open, int(min(high, 3)) - (h.high_open and high < 3))


PARAMS = st.fixed_dictionaries(
    {}, optional={name: values(name) for name in HYPERPARAMETERS if name != "loss"}
)
TYPES = {SharedSettings: get_type_hints(SharedSettings), LaneSettings: get_type_hints(LaneSettings)}


@given(
    PARAMS,
    st.sampled_from([(Task.CLASSIFICATION, 2), (Task.CLASSIFICATION, 7), (Task.REGRESSION, 0)]),
    st.booleans(),
)
def test_any_allowed_params_become_settings_of_the_declared_types(params, about, rungs):
    task, n_classes = about
    for name, value in params.items():
        check_value(name, value)

    shared, lane = settings_of(params, task=task, n_classes=n_classes, n_inputs=9, n_rows=100, rungs=rungs)

    for record in (shared, lane):
        for name, kind in TYPES[type(record)].items():
            value = getattr(record, name)
            assert type(value) is (tuple if name == "hidden" else kind), name
    assert all(type(width) is int and width >= 1 for width in (*shared.hidden, *lane.hidden))
    assert all(own <= padded for own, padded in zip(lane.hidden, shared.hidden, strict=True))
    assert hash(shared) == hash(shared)


@given(PARAMS)
def test_what_is_given_is_what_a_lane_gets_wherever_it_counts(params):
    shared, lane = settings_of(params, task=Task.CLASSIFICATION, n_classes=4, n_inputs=9, n_rows=100)
    fields = {f.name for f in dataclasses.fields(LaneSettings)} - {"hidden"}
    own = params | {"optimizer": lane.optimizer, "schedule": lane.schedule, "initializer": lane.initializer}

    for name in fields & set(params):
        readers = READ_BY.get(name)
        counts = readers is None or readers.selector not in ("optimizer", "schedule", "initializer")
        if counts or own[readers.selector] in readers.values:
            assert getattr(lane, name) == params[name]
    for name in {"batch_size", "batch_norm", "class_weight", "maxout_pieces"} & set(params):
        assert getattr(shared, name) == params[name]
