"""First weights are Keras's, and the same for every trial of a repeat."""

import math

import pytest
import torch

from hpo.errors import UnknownName
from hpo.fused.initializers import INITIALIZERS, initial_weight
from hpo.hyperparams import INITIALIZERS as NAMES

N_IN, N_OUT = 300, 200


def draw(name, **stream):
    return initial_weight(name, N_IN, N_OUT, **({"seed": 0, "repeat": 0, "layer": 0} | stream))


def test_every_initializer_of_the_vocabulary_is_there():
    assert set(INITIALIZERS) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "sd", "largest"),
    [
        ("random_uniform", 0.05 / math.sqrt(3), 0.05),
        ("random_normal", 0.05, math.inf),
        ("glorot_uniform", math.sqrt(2 / (N_IN + N_OUT)), math.sqrt(6 / (N_IN + N_OUT))),
        ("glorot_normal", math.sqrt(2 / (N_IN + N_OUT)), 2 * math.sqrt(2 / (N_IN + N_OUT)) / 0.87962566),
        ("he_uniform", math.sqrt(2 / N_IN), math.sqrt(6 / N_IN)),
        ("he_normal", math.sqrt(2 / N_IN), 2 * math.sqrt(2 / N_IN) / 0.87962566),
    ],
)
def test_spread_and_bounds_are_those_of_keras(name, sd, largest):
    w = draw(name)

    assert w.std().item() == pytest.approx(sd, rel=0.02)
    assert abs(w.mean().item()) < 0.02 * sd
    assert w.abs().max().item() <= largest
    if math.isfinite(largest):
        assert w.abs().max().item() > 0.99 * largest


def test_zeros_are_zero():
    assert not draw("zeros").any()


def test_a_stream_repeats_itself_and_differs_by_seed_repeat_and_layer():
    first = draw("he_normal")

    assert torch.equal(first, draw("he_normal"))
    for other in ({"seed": 1}, {"repeat": 1}, {"layer": 1}):
        assert not torch.equal(first, draw("he_normal", **other))


def test_an_unknown_name_is_an_error_with_the_nearest():
    with pytest.raises(UnknownName, match="he_normal"):
        draw("he_normall")
