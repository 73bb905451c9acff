"""The shape of a network, against torch's own count."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from hpo.model import NetworkShape, rung_of


@given(st.integers(1, 20), st.lists(st.integers(1, 20), max_size=4), st.integers(1, 10))
def test_parameters_are_counted_as_torch_counts_them(n_inputs, hidden, n_outputs):
    shape = NetworkShape(n_inputs, tuple(hidden), n_outputs)
    layers = [torch.nn.Linear(n_in, n_out) for n_in, n_out in shape.layers]

    assert shape.n_parameters == sum(p.numel() for layer in layers for p in layer.parameters())
    assert shape.flops_per_row == 6 * sum(layer.weight.numel() for layer in layers)


@given(st.integers(1, 70_000))
def test_a_rung_is_at_least_the_width_and_little_more(width):
    rung = rung_of(width)

    assert width <= rung <= max(width + 3, width * 1.25)
    assert rung_of(rung) == rung
    assert rung % 4 == 0


def test_wider_networks_have_higher_rungs():
    rungs = [rung_of(width) for width in range(1, 2000)]

    assert rungs == sorted(rungs)
    assert len(set(rungs)) == 4 + 4 * 7


def test_pieces_scales_and_slopes_are_counted_as_torch_counts_them():
    shape = NetworkShape(9, (8, 6), 3, pieces=4, batch_norm=True)
    layers = [torch.nn.Linear(9, 32), torch.nn.BatchNorm1d(32), torch.nn.Linear(8, 24), torch.nn.BatchNorm1d(24), torch.nn.Linear(6, 3)]  # fmt: skip
    slopes = [torch.nn.PReLU(), torch.nn.PReLU()]

    assert shape.n_parameters == sum(p.numel() for layer in layers for p in layer.parameters())
    sloped = NetworkShape(9, (8, 6), 3, prelu=True)
    assert sloped.n_parameters == NetworkShape(9, (8, 6), 3).n_parameters + sum(
        p.numel() for slope in slopes for p in slope.parameters()
    )
