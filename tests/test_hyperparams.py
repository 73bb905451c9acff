"""The table of hyperparameters: what each may be, and one clear sentence for what it may not."""

from __future__ import annotations

import pytest

from hpo.errors import NotYet, SpecError, UnknownName
from hpo.hyperparams import (
    HYPERPARAMETERS,
    KINDS,
    OPTIMIZER_KNOBS,
    OPTIMIZERS,
    check_parameter,
    check_value,
    widths_of,
)
from hpo.space import Choice, Fixed, Range

NOW = [name for name, h in HYPERPARAMETERS.items() if not h.later]
LATER = [name for name, h in HYPERPARAMETERS.items() if h.later]
NUMBERS = [name for name in NOW if HYPERPARAMETERS[name].kind in ("float", "int", "widths")]
NAMES = [name for name in NOW if HYPERPARAMETERS[name].kind == "choice"]


@pytest.mark.parametrize("name", [name for name in NOW if HYPERPARAMETERS[name].default is not None])
def test_every_default_is_allowed(name):
    check_value(name, HYPERPARAMETERS[name].default)


@pytest.mark.parametrize("name", LATER)
def test_a_hyperparameter_of_a_later_version_is_refused_and_says_so(name):
    with pytest.raises(NotYet, match="later version"):
        check_parameter(name, Fixed(value=HYPERPARAMETERS[name].default))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_a_later_version_are_refused_and_say_so(name):
    for choice in HYPERPARAMETERS[name].later_choices:
        with pytest.raises(NotYet, match="later version"):
            check_value(name, choice)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_taken_and_a_misspelt_one_corrected(name):
    for choice in HYPERPARAMETERS[name].choices:
        check_value(name, choice)
        with pytest.raises(UnknownName):
            check_value(name, choice + "_")


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
        ("hidden_units", [1, 65_536, "64-32", "1-1"], [0, 65_537, "64-", "0-3", "64x32", "70000-1", "-".join(["8"] * 17)]),
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


def test_every_optimizer_has_its_knobs_and_every_knob_is_a_hyperparameter():
    assert set(OPTIMIZER_KNOBS) == set(OPTIMIZERS)
    for knobs in OPTIMIZER_KNOBS.values():
        for name, default in knobs.items():
            check_value(name, default)


def test_widths_are_searched_as_whole_numbers():
    assert (KINDS["hidden_units"], KINDS["hidden_layers"], KINDS["learning_rate"]) == ("int", "int", "float")
