"""First weights are Keras's, and the same for every trial of a repeat."""

import math
from dataclasses import replace

import pytest
import torch

from hpo.dataset import Task
from hpo.errors import UnknownName
from hpo.fused.initializers import INITIALIZERS, initial_weight
from hpo.hyperparams import HYPERPARAMETERS
from hpo.hyperparams import INITIALIZERS as NAMES
from hpo.seeds import lane_seed
from hpo.training import settings_of

N_IN, N_OUT = 300, 200
CUT = 0.87962566  # the standard deviation of a normal cut off at two of its own


def lane(initializer, **params):
    _, settings = settings_of({"initializer": initializer} | params, task=Task.REGRESSION, n_classes=0)
    return settings


def draw(name, n_in=N_IN, n_out=N_OUT, *, stream=None, **params):
    return initial_weight(
        lane(name, **params), n_in, n_out, **({"seed": 0, "repeat": 0, "layer": 0} | (stream or {}))
    )


def test_every_initializer_of_the_vocabulary_is_there():
    assert set(INITIALIZERS) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "sd", "largest"),
    [
        ("random_uniform", 0.05 / math.sqrt(3), 0.05),
        ("random_normal", 0.05, math.inf),
        ("truncated_normal", 0.05 * CUT, 0.1),  # as in Keras: cut off, and not made up for
        ("glorot_uniform", math.sqrt(2 / (N_IN + N_OUT)), math.sqrt(6 / (N_IN + N_OUT))),
        ("glorot_normal", math.sqrt(2 / (N_IN + N_OUT)), 2 * math.sqrt(2 / (N_IN + N_OUT)) / CUT),
        ("he_uniform", math.sqrt(2 / N_IN), math.sqrt(6 / N_IN)),
        ("he_normal", math.sqrt(2 / N_IN), 2 * math.sqrt(2 / N_IN) / CUT),
        ("lecun_normal", math.sqrt(1 / N_IN), 2 * math.sqrt(1 / N_IN) / CUT),
    ],
)
def test_spread_and_bounds_are_those_of_keras(name, sd, largest):
    w = draw(name)

    assert w.std().item() == pytest.approx(sd, rel=0.02)
    assert abs(w.mean().item()) < 0.02 * sd
    assert w.abs().max().item() <= largest
    if math.isfinite(largest):
        assert w.abs().max().item() > 0.99 * largest


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", N_IN), ("fan_out", N_OUT), ("fan_avg", 250)])
@pytest.mark.parametrize("distribution", HYPERPARAMETERS["init_distribution"].choices)
def test_variance_scaling_has_the_variance_it_says(mode, fan, distribution):
    w = draw("variance_scaling", init_scale=3.0, init_mode=mode, init_distribution=distribution)

    sd = math.sqrt(3 / fan)
    largest = {"uniform": math.sqrt(3) * sd, "truncated_normal": 2 * sd / CUT}.get(distribution, math.inf)
    assert w.std().item() == pytest.approx(sd, rel=0.02)
    assert 3 * sd / 2 < w.abs().max().item() <= largest


def test_variance_scaling_can_be_any_of_its_special_cases():
    for name, scale, mode, distribution in (
        ("glorot_uniform", 1.0, "fan_avg", "uniform"),
        ("he_normal", 2.0, "fan_in", "truncated_normal"),
    ):
        w = draw("variance_scaling", init_scale=scale, init_mode=mode, init_distribution=distribution)
        assert torch.equal(w, draw(name))


def test_a_truncated_normal_is_spread_as_a_normal_is_between_its_ends():
    w = (draw("truncated_normal", init_scale=1.0).flatten()).sort().values

    share = torch.erf(w / math.sqrt(2)) / math.erf(math.sqrt(2)) / 2 + 0.5  # of all that is below w
    found = torch.arange(1, len(w) + 1, dtype=w.dtype) / len(w)
    assert (share - found).abs().max() < 1.95 / math.sqrt(len(w))  # Kolmogorov and Smirnov: once in 1,000


@pytest.mark.parametrize("shape", [(40, 70), (70, 40), (50, 50)])
def test_orthogonal_is_torchs_draw_for_draw(shape):
    n_in, n_out = shape
    wanted = torch.empty(n_out, n_in, dtype=torch.float64)
    generator = torch.Generator().manual_seed(lane_seed(0, 0, "weights", 0))
    torch.nn.init.orthogonal_(wanted, gain=1.5, generator=generator)

    w = draw("orthogonal", n_in, n_out, init_scale=1.5)

    torch.testing.assert_close(w, wanted, rtol=0, atol=1e-14)
    few = w if n_out < n_in else w.T
    eye = 1.5**2 * torch.eye(len(few), dtype=torch.float64)
    torch.testing.assert_close(few @ few.T, eye, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "params", "value"),
    [("zeros", {}, 0.0), ("ones", {}, 1.0), ("constant", {}, 0.05), ("constant", {"init_scale": 0.3}, 0.3)],
)
def test_some_begin_with_one_number(name, params, value):
    assert torch.equal(draw(name, **params), torch.full((N_OUT, N_IN), value, dtype=torch.float64))


@pytest.mark.parametrize("name", ["random_uniform", "random_normal", "truncated_normal", "orthogonal"])
def test_the_scale_is_a_factor_of_the_same_draw(name):
    assert torch.equal(draw(name, init_scale=0.5), draw(name, init_scale=1.0) * 0.5)


def test_a_stream_repeats_itself_and_differs_by_seed_repeat_and_layer():
    first = draw("he_normal")

    assert torch.equal(first, draw("he_normal"))
    for other in ({"seed": 1}, {"repeat": 1}, {"layer": 1}):
        assert not torch.equal(first, draw("he_normal", stream=other))


def test_an_unknown_name_is_an_error_with_the_nearest():
    settings = replace(lane("he_normal"), initializer="he_normall")

    with pytest.raises(UnknownName, match="he_normal"):
        initial_weight(settings, N_IN, N_OUT, seed=0, repeat=0, layer=0)
