"""Gradients cut off, each lane by its own limits."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from hpo.dataset import Task
from hpo.fused.clipping import Clipping, norms_of
from hpo.training import settings_of

SHAPES = ((33, 20), (33,), (3, 33), (3,))


def lane(**params):
    return settings_of(params, task=Task.CLASSIFICATION, n_classes=3)[1]


def gradients(n_lanes, dtype=torch.float32):
    """[K, P] with room after each tensor, and the tensors as views."""
    generator = torch.Generator().manual_seed(0)
    grads, parts, at = torch.full((n_lanes, 1024), 7.0, dtype=dtype), [], 0
    for shape in SHAPES:
        part = grads[:, at : at + math.prod(shape)].unflatten(1, shape)
        part.copy_(torch.randn(part.shape, generator=generator))
        parts.append(part)
        at += -(-math.prod(shape) // 64) * 64
    return grads, parts


def by_torch(parts, place, settings):
    """What torch makes of one lane's gradient, and its norm."""
    parameters = [nn.Parameter(torch.empty_like(part[place])) for part in parts]
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part[place].clone()
    norm = nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
    if math.isfinite(settings.clip_value):
        nn.utils.clip_grad_value_(parameters, settings.clip_value)
    return [parameter.grad for parameter in parameters], norm


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_clipped_gradients_have_the_bits_of_torch(dtype):
    grads, parts = gradients(5, dtype)
    lanes = [lane(clip_norm=3.0), lane(clip_norm=1e6), lane(clip_value=0.3), lane(), lane(clip_norm=0.1)]
    lanes[1] = lane(clip_norm=9.0, clip_value=0.2)
    wanted = [by_torch(parts, place, settings) for place, settings in enumerate(lanes)]
    clipping = Clipping(lanes, parts, grads)

    clipping.clip_()

    for place, (clipped, norm) in enumerate(wanted):
        assert clipping.norms[place] == norm
        for part, one in zip(parts, clipped, strict=True):
            assert torch.equal(part[place], one)


def test_the_room_between_tensors_counts_for_nothing():
    grads, parts = gradients(2)
    before = torch.cat([part[0].flatten() for part in parts])
    clipping = Clipping([lane(clip_norm=1.0)] * 2, parts, grads)

    clipping.clip_()

    assert_close(clipping.norms[0].float(), before.norm())
    assert_close(torch.cat([part[0].flatten() for part in parts]).norm(), torch.tensor(1.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_no_number_touches_no_other_lane_and_is_left_to_a_lane_that_does_not_clip(bad):
    grads, parts = gradients(3)
    parts[0][0, 4, 5] = bad
    before = grads.clone()
    clipping = Clipping([lane(), lane(clip_norm=1.0), lane(clip_value=0.1)], parts, grads)

    clipping.clip_()

    assert torch.equal(grads[0].nan_to_num(), before[0].nan_to_num())
    assert grads[1:].isfinite().all()


def test_lanes_that_ask_for_nothing_are_not_even_measured():
    grads, parts = gradients(2)
    before = grads.clone()
    clipping = Clipping([lane(), lane(optimizer="sgd")], parts, grads)

    clipping.clip_()

    assert not clipping.needs_norms
    assert torch.equal(grads, before)
    assert not clipping.norms.any()


def test_norms_are_given_tensor_by_tensor():
    norms = norms_of([torch.full((2, 3, 4), 2.0), torch.tensor([[3.0, 4.0], [0.0, 0.0]])])

    assert_close(norms, torch.tensor([[48.0**0.5, 5.0], [48.0**0.5, 0.0]]))
