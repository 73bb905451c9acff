"""The table of hyperparameters: what each may be, and one clear sentence for what it may not."""

from __future__ import annotations

import math

import pytest

from hpo.errors import SpecError, UnknownName
from hpo.hyperparams import (
    ACTIVATIONS,
    HYPERPARAMETERS,
    INITIALIZER_SCALES,
    INITIALIZERS,
    KINDS,
    LOSSES,
    OPTIMIZER_KNOBS,
    OPTIMIZERS,
    SCALINGS,
    SCHEDULE_KNOBS,
    SCHEDULES,
    check_parameter,
    check_value,
    widths_of,
)
from hpo.space import Choice, Fixed, Range

NUMBERS = [name for name, h in HYPERPARAMETERS.items() if h.kind in ("float", "int", "widths")]
NAMES = [name for name, h in HYPERPARAMETERS.items() if h.kind == "choice"]
FLAGS = [name for name, h in HYPERPARAMETERS.items() if h.kind == "flag"]


@pytest.mark.parametrize("name", [name for name, h in HYPERPARAMETERS.items() if h.default is not None])
def test_every_default_is_allowed(name):
    check_value(name, HYPERPARAMETERS[name].default)


def test_the_vocabulary_is_that_of_the_design():
    assert (len(ACTIVATIONS), len(INITIALIZERS), len(OPTIMIZERS)) == (13, 13, 12)
    assert (len(LOSSES), len(SCALINGS), len(SCHEDULES)) == (5, 7, 6)


def test_every_kind_of_hyperparameter_is_covered_here():
    assert {*NUMBERS, *NAMES, *FLAGS} == set(HYPERPARAMETERS)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_taken_and_a_misspelt_one_corrected(name):
    for choice in HYPERPARAMETERS[name].choices:
        check_value(name, choice)
        with pytest.raises(UnknownName, match="did you mean"):
            check_value(name, choice + "_")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [True, 3, 0.5, None])
def test_a_name_is_a_name(name, value):
    with pytest.raises(SpecError, match="must be a name, one of"):
        check_value(name, value)


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_true_or_false(name):
    check_value(name, True)
    check_value(name, False)
    for value in (1, 0, "true", None):
        with pytest.raises(SpecError, match="must be true or false"):
            check_value(name, value)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_number_are_allowed_unless_they_are_open(name):
    h = HYPERPARAMETERS[name]
    for end, is_open, sign in ((h.low, h.low_open, ">"), (h.high, h.high_open, "<")):
        if not math.isfinite(end):
            continue
        beyond = end + (1 if sign == "<" else -1)
        value, outside = (int(end), int(beyond)) if h.kind != "float" else (end, beyond)
        with pytest.raises(SpecError, match=f"must be {sign}"):
            check_value(name, outside)
        if is_open:
            with pytest.raises(SpecError, match=f"must be {sign} "):
                check_value(name, value)
        else:
            check_value(name, value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, "much", None, float("nan"), float("inf")])
def test_a_number_is_a_finite_number(name, value):
    with pytest.raises(SpecError):
        check_value(name, value)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("dropout", [0, 0.0, 0.99], [-0.1, 1.0, 1]),
        ("rho", [0.0, 1.0], [-0.1, 1.1]),
        ("learning_rate", [1e-300, 10], [0, 0.0, -1]),
        ("hidden_layers", [0, 16], [-1, 17, 2.0]),
        ("hidden_units", [1, 65_536, "64-32", "1-1", "mean", "samples"], [0, "means", "mean-64", 65_537, "64-", "0-3", "64x32", "70000-1", "-".join(["8"] * 17)]),
        ("samples_alpha", [2, 10], [1.9, 10.1]),
        ("maxout_pieces", [1, 16], [0, 17]),
        ("decay", [1e-9, 1], [0, 1.01]),
        ("label_smoothing", [0, 0.99], [-0.1, 1]),
        ("clip_norm", [1e-9, 1e9], [0]),
        ("batch_size", [1, 1_000_000], [0, 1_000_001, 0.5]),
        ("epochs", [1, 100_000], [0, 100_001]),
        ("l2", [0, 1e5], [-1e-9]),
        ("bias_init", [-3, 0.01], ["0"]),
    ],
)  # fmt: skip
def test_limits_are_those_of_the_contract(name, inside, outside):
    for value in inside:
        check_value(name, value)
    for value in outside:
        with pytest.raises(SpecError):
            check_value(name, value)


def test_a_parameter_is_checked_at_both_ends_and_in_every_choice():
    for parameter, field in (
        (Range(low=-1, high=0.5), "low"),
        (Range(low=0, high=1.5), "high"),
        (Choice(choices=(0.1, 2.0)), "1"),
        (Fixed(value=7), None),
    ):
        with pytest.raises(SpecError) as caught:
            check_parameter("dropout", parameter)
        assert caught.value.field == field


def test_a_name_cannot_be_searched_in_a_range():
    with pytest.raises(SpecError):
        check_parameter("optimizer", Range(low=0, high=1))


def test_an_unknown_hyperparameter_gets_the_nearest_name():
    with pytest.raises(SpecError, match="did you mean 'learning_rate'"):
        check_parameter("learning_rat", Fixed(value=1))


def test_widths_with_dashes_say_how_many_layers_there_are():
    assert widths_of("128-64-32", 9) == (128, 64, 32)
    assert widths_of(16, 3) == (16, 16, 16)


@pytest.mark.parametrize(
    ("names", "knobs"),
    [(OPTIMIZERS, OPTIMIZER_KNOBS), (SCHEDULES, SCHEDULE_KNOBS)],
    ids=["optimizer", "schedule"],
)
def test_every_optimizer_and_schedule_has_its_knobs_and_every_knob_is_a_hyperparameter(names, knobs):
    assert set(knobs) == set(names)
    for read in knobs.values():
        for name, default in read.items():
            check_value(name, default)


def test_what_an_initializer_takes_for_its_scale_is_allowed():
    assert set(INITIALIZER_SCALES) < set(INITIALIZERS)
    for scale in INITIALIZER_SCALES.values():
        check_value("init_scale", scale)


def test_the_rule_mean_leads_in_equal_steps_from_inputs_to_outputs():
    assert widths_of("mean", 3, n_inputs=100, n_outputs=20) == (80, 60, 40)
    assert widths_of("mean", 2, n_inputs=1, n_outputs=1) == (1, 1)
    assert widths_of("mean", 0, n_inputs=100, n_outputs=20) == ()


def test_the_rule_samples_gives_fewer_units_for_a_larger_alpha():
    narrow, wide = (
        widths_of("samples", 2, n_inputs=30, n_outputs=10, n_rows=1000, alpha=alpha) for alpha in (10.0, 2.0)
    )

    assert (narrow, wide) == ((2, 2), (12, 12))
    assert widths_of("samples", 1, n_inputs=1000, n_outputs=10, n_rows=5) == (1,)


def test_widths_are_searched_as_whole_numbers():
    assert (KINDS["hidden_units"], KINDS["hidden_layers"], KINDS["learning_rate"]) == ("int", "int", "float")
