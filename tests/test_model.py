"""The shape of a network, against torch's own count."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from hpo.model import NetworkShape


@given(st.integers(1, 20), st.lists(st.integers(1, 20), max_size=4), st.integers(1, 10))
def test_parameters_are_counted_as_torch_counts_them(n_inputs, hidden, n_outputs):
    shape = NetworkShape(n_inputs, tuple(hidden), n_outputs)
    layers = [torch.nn.Linear(n_in, n_out) for n_in, n_out in shape.layers]

    assert shape.n_parameters == sum(p.numel() for layer in layers for p in layer.parameters())
    assert shape.flops_per_row == 6 * sum(layer.weight.numel() for layer in layers)
