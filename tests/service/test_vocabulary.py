"""Every hyperparameter through the door of the study file: what is taken, what is refused, where and with which cure."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from hpo.dataset import Task
from hpo.errors import SpecError
from hpo.hyperparams import HYPERPARAMETERS, WIDTH_RULES
from hpo.service.specfile import complete, parse
from hpo.space import Choice, Fixed, Range
from hpo.testing.small_jobs import data_of
from hpo.training import LaneSettings, SharedSettings, settings_of

NUMBERS = [name for name, h in HYPERPARAMETERS.items() if h.kind in ("float", "int", "widths")]
NAMES = [name for name, h in HYPERPARAMETERS.items() if h.kind == "choice"]
BESIDE = {"min_delta": {"patience": 5}}  # what a hyperparameter cannot stand without


def parsed(name, written):
    parameters = BESIDE.get(name, {}) | {name: written}
    return parse(json.dumps({"data": "made-up", "parameters": parameters})).parameters.parameters[name]


def error_of(name, written):
    with pytest.raises(SpecError) as caught:
        parsed(name, written)
    return caught.value


def ends(name):
    """A low and a high value that the hyperparameter may have."""
    h = HYPERPARAMETERS[name]
    low, high = max(h.low, 0), min(h.high, 50)
    low, high = (low + 0.25 if h.low_open else low), (high - 0.25 if h.high_open and high == h.high else high)
    return (int(low), int(high)) if h.kind != "float" else (float(low), float(high))


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_fixed_listed_or_ranged_over_in_its_own_kind(name):
    low, high = ends(name)
    kind = type(low)

    assert parsed(name, high) == Fixed(value=high)
    assert parsed(name, [low, high]) == Choice(choices=(low, high))
    assert parsed(name, {"low": low, "high": high}) == Range(low=low, high=high, type=kind.__name__)
    assert type(parsed(name, high).value) is kind


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_beyond_its_limits_is_refused_where_it_stands(name):
    h = HYPERPARAMETERS[name]
    low, high = ends(name)
    for end, step, sign in ((h.low, -1, ">"), (h.high, 1, "<")):
        if not math.isfinite(end):
            continue
        beyond = type(low)(end + step)
        assert error_of(name, beyond).field == f"parameters.{name}"
        assert error_of(name, [low, beyond]).field == f"parameters.{name}.1"
        ranged = {"low": beyond, "high": high} if step < 0 else {"low": low, "high": beyond}
        assert error_of(name, ranged).field == f"parameters.{name}.{'low' if step < 0 else 'high'}"
        assert error_of(name, beyond).detail.startswith(f"must be {sign}")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_word_for_a_number_says_what_is_wanted(name):
    assert "must be a" in error_of(name, "lots").detail


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_fixed_or_listed_and_a_slip_is_corrected_where_it_stands(name):
    choices = HYPERPARAMETERS[name].choices

    assert parsed(name, list(choices)) == Choice(choices=choices)
    for place, choice in enumerate(choices):
        assert parsed(name, choice) == Fixed(value=choice)
        slip = [*choices[:place], choice + "s"]
        assert error_of(name, slip).field == f"parameters.{name}.{place}"
        assert f"did you mean '{choice}'" in error_of(name, choice + "s").detail


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_a_slip_in_the_name_of_a_hyperparameter_is_corrected(name):
    with pytest.raises(SpecError, match="did you mean") as caught:
        parse(json.dumps({"data": "made-up", "parameters": {name + "x": 1}}))

    assert caught.value.field == f"parameters.{name}x"


def test_a_flag_is_fixed_or_listed():
    assert parsed("batch_norm", True) == Fixed(value=True)
    assert parsed("centered", [True, False]) == Choice(choices=(True, False))
    assert "must be true or false" in error_of("batch_norm", 1).detail


def test_rules_widths_with_dashes_and_numbers_may_stand_in_one_list():
    for rule in WIDTH_RULES:
        assert parsed("hidden_units", rule) == Fixed(value=rule)
    mixed = ("mean", "samples", 32, "64-32")
    assert parsed("hidden_units", list(mixed)) == Choice(choices=mixed)

    hidden = [
        settings_of({"hidden_units": units}, task=Task.CLASSIFICATION, n_classes=3, n_inputs=9, n_rows=120)[
            1
        ].hidden
        for units in mixed
    ]
    assert hidden == [(7, 5), (2, 2), (32, 32), (64, 32)]


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_what_a_study_fixes_reaches_the_trainer(name):
    """Beside the value that reads it, a changed hyperparameter changes the settings."""
    changes = {
        "hidden_units": {"hidden_units": 7},
        "samples_alpha": {"hidden_units": "samples", "samples_alpha": 2.0},
        "negative_slope": {"negative_slope": 0.5},
        "maxout_pieces": {"activation": "maxout", "maxout_pieces": 5},
        "init_scale": {"initializer": "orthogonal", "init_scale": 2.0},
        "init_mode": {"initializer": "variance_scaling", "init_mode": "fan_avg"},
        "init_distribution": {"initializer": "variance_scaling", "init_distribution": "uniform"},
        "loss": {"loss": "binary_cross_entropy"},
        "momentum": {"optimizer": "momentum", "momentum": 0.5},
        "rho": {"optimizer": "rmsprop", "rho": 0.5},
        "centered": {"optimizer": "rmsprop", "centered": True},
        "step_epochs": {"schedule": "step", "step_epochs": 3},
        "decay": {"schedule": "step", "decay": 0.5},
        "rate_floor": {"schedule": "cosine", "rate_floor": 0.5},
        "cycle_epochs": {"schedule": "cyclic", "cycle_epochs": 3},
        "cyclic_mode": {"schedule": "cyclic", "cyclic_mode": "triangular2"},
        "pca_components": {"scaling": "pca", "pca_components": 3},
    }
    h = HYPERPARAMETERS[name]
    other = {"choice": h.choices[-1] if h.choices else "", "flag": not h.default, "int": 3}.get(h.kind, 0.125)
    changed = changes.get(name, {name: other})
    without = {key: value for key, value in changed.items() if key != name}

    def resolved(params) -> tuple[SharedSettings, LaneSettings]:
        return settings_of(params, task=Task.CLASSIFICATION, n_classes=2, n_inputs=9, n_rows=120)

    if name == "loss":  # two classes have one loss that is not the default
        changed = {"loss": "cross_entropy"}
    assert resolved(changed) != resolved(without)


# What must fit together

REGRESSION = {"task": Task.REGRESSION, "classes": ()}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("label_smoothing", 0.1),
        ("label_smoothing", {"low": 0, "high": 0.1}),
        ("class_weight", ["none", "balanced"]),
    ],
)
def test_a_regression_has_no_classes_to_smooth_or_to_weigh(name, written):

    info = replace(data_of().info, **REGRESSION)
    spec = parse(json.dumps({"data": "made-up", "parameters": {name: written}}))

    assert complete(spec, data_of().info)
    with pytest.raises(SpecError, match="counts only in a classification") as caught:
        complete(spec, info)
    assert caught.value.field == f"parameters.{name}"


@pytest.mark.parametrize("size", [1, [1, 32], {"low": 1, "high": 64}])
def test_batches_of_one_row_cannot_be_normalised(size):

    def completed(**parameters):
        return complete(parse(json.dumps({"data": "made-up", "parameters": parameters})), data_of().info)

    assert completed(batch_size=size, batch_norm=False)
    assert completed(batch_size=2, batch_norm=[False, True])
    with pytest.raises(SpecError, match="at least 2 with batch_norm") as caught:
        completed(batch_size=size, batch_norm=[False, True])
    assert caught.value.field == "parameters.batch_size"


def test_saying_that_classes_do_not_count_is_allowed_in_a_regression():

    info = replace(data_of().info, **REGRESSION)
    parameters = {"label_smoothing": 0, "class_weight": "none"}

    assert complete(parse(json.dumps({"data": "made-up", "parameters": parameters})), info)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"activation": "maxout", "hidden_units": 40_000}, "parameters.hidden_units"),
        ({"activation": ["relu", "maxout"], "maxout_pieces": 16, "hidden_units": [8, 5000]}, "parameters.maxout_pieces"),
        ({"activation": "maxout", "maxout_pieces": 16, "hidden_units": "8-5000"}, "parameters.maxout_pieces"),
        (
            {"activation": "maxout", "maxout_pieces": {"low": 2, "high": 16}, "hidden_units": {"low": 8, "high": 5000}},
            "parameters.maxout_pieces",
        ),
    ],
)  # fmt: skip
def test_maxout_layers_too_wide_for_any_machine_are_refused(parameters, field):
    with pytest.raises(SpecError, match="linear units in a layer; at most 65,536") as caught:
        parse(json.dumps({"data": "made-up", "parameters": parameters}))

    assert caught.value.field == field


def test_wide_layers_and_many_pieces_that_never_meet_maxout_are_fine():
    parameters = {"activation": "relu", "hidden_units": 65_536, "maxout_pieces": 16}

    assert parse(json.dumps({"data": "made-up", "parameters": parameters}))
    assert parse(
        json.dumps(
            {"data": "made-up", "parameters": parameters | {"activation": "maxout", "hidden_units": 4096}}
        )
    )
