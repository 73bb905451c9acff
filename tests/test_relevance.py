"""What counts only beside something else: the table against the settings, and what is found in a search space."""

from __future__ import annotations

import pytest

from hpo.hyperparams import HYPERPARAMETERS
from hpo.relevance import READ_BY, listed, unread
from hpo.space import Choice, Fixed, Range, SearchSpace

DEFAULTS = {"loss": "cross_entropy", "scaling": "standardize", "initializer": "chosen by activation"}


def some(name, when=None):
    """The hyperparameter in a search space, whatever its value."""
    default = HYPERPARAMETERS[name].default
    return Fixed(value=1 if default is None else default, when=when or {})


def found(parameters):
    """The names of those that no trial reads."""
    return [one.name for one in unread(SearchSpace(parameters), DEFAULTS) if not one.reading]


@pytest.mark.parametrize("name", READ_BY)
def test_selectors_and_what_they_select_are_hyperparameters(name):
    readers = READ_BY[name]
    selector = HYPERPARAMETERS[readers.selector]

    assert name in HYPERPARAMETERS
    for value in readers.values:
        assert value in selector.choices or selector.kind in ("int", "widths")


@pytest.mark.parametrize("name", READ_BY)
def test_what_is_beside_one_of_its_readers_counts(name):
    readers = READ_BY[name]

    for value in readers.values:
        assert found({name: some(name), readers.selector: Fixed(value=value)}) == []


@pytest.mark.parametrize("name", [name for name in READ_BY if READ_BY[name].selector != "hidden_layers"])
def test_what_is_beside_none_of_its_readers_is_found(name):
    readers = READ_BY[name]
    others = [c for c in HYPERPARAMETERS[readers.selector].choices if c not in readers.values] or [64]

    assert found({name: some(name), readers.selector: Choice(choices=tuple(others))}) == [name]


@pytest.mark.parametrize("name", ["dropout", "batch_norm", "activation", "hidden_units"])
def test_a_network_without_hidden_layers_has_nothing_to_drop_or_to_activate(name):
    assert found({name: some(name), "hidden_layers": Fixed(value=0)}) == [name]
    assert found({name: some(name), "hidden_layers": Choice(choices=(0, 1))}) == []
    assert found({name: some(name), "hidden_layers": Range(low=0, high=2, type="int")}) == []
    assert found({name: some(name)}) == []


def test_a_selector_that_is_not_there_has_its_default():
    assert found({"beta1": some("beta1")}) == []  # adam
    assert found({"rho": some("rho"), "decay": some("decay")}) == ["rho", "decay"]
    assert found({"huber_delta": some("huber_delta")}) == ["huber_delta"]


def test_a_condition_says_beside_which_values_a_parameter_stands():
    optimizer = Choice(choices=("sgd", "momentum", "adam"))

    assert found({"optimizer": optimizer, "momentum": some("momentum", {"optimizer": ("momentum",)})}) == []
    assert found({"optimizer": optimizer, "momentum": some("momentum", {"optimizer": ("sgd", "adam")})}) == [
        "momentum"
    ]


def test_a_selector_under_a_condition_may_have_its_default_too():
    space = {
        "activation": Choice(choices=("relu", "tanh")),
        "optimizer": Fixed(value="sgd", when={"activation": ("tanh",)}),
        "beta1": some("beta1"),
    }

    assert found(space) == []


def test_what_only_some_trials_read_is_found_with_where_they_do():
    optimizer = Choice(choices=("sgd", "nesterov", "adam", "momentum"))

    [one] = unread(SearchSpace({"optimizer": optimizer, "momentum": some("momentum")}), DEFAULTS)

    assert (one.name, one.reading) == ("momentum", ("nesterov", "momentum"))


def test_every_optimizer_reads_weight_decay():
    assert "weight_decay" not in READ_BY


def test_words_are_listed_as_a_sentence_does():
    assert [listed(words, "or") for words in ((), ("a",), ("a", 2))] == ["", "a", "a or 2"]
