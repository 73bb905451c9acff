"""The order of rows and the noise of an epoch are streams of their own."""

import torch

from hpo.fused import batches
from hpo.fused.batches import DropoutNoise, row_order
from hpo.testing.lanes import assert_same_bits, make_data, make_task, train_lanes

STREAM = {"seed": 0, "repeat": 0, "epoch": 1}


def test_an_order_holds_every_row_once_and_differs_by_seed_repeat_and_epoch():
    order = row_order(50, **STREAM)

    assert sorted(order.tolist()) == list(range(50))
    assert torch.equal(order, row_order(50, **STREAM))
    for other in ({"seed": 1}, {"repeat": 1}, {"epoch": 2}):
        assert not torch.equal(order, row_order(50, **(STREAM | other)))


def test_noise_is_the_same_in_parts_and_at_once():
    whole = DropoutNoise([5, 33, 7], [True, True, False], **STREAM).take(101)
    parts = DropoutNoise([5, 33, 7], [True, True, False], **STREAM)

    taken = [parts.take(n) for n in (64, 1, 36)]

    assert whole[2] is None
    for layer in (0, 1):
        assert torch.equal(torch.cat([part[layer] for part in taken]), whole[layer])


def test_noise_differs_by_layer_seed_repeat_and_epoch():
    inputs, hidden = DropoutNoise([5, 5], [True, True], **STREAM).take(10)

    assert not torch.equal(inputs, hidden)
    for other in ({"seed": 1}, {"repeat": 1}, {"epoch": 2}):
        (numbers,) = DropoutNoise([5], [True], **(STREAM | other)).take(10)
        assert not torch.equal(inputs, numbers)


def test_noise_of_a_layer_does_not_depend_on_which_others_drop():
    both = DropoutNoise([5, 33], [True, True], **STREAM).take(10)
    one = DropoutNoise([5, 33], [False, True], **STREAM).take(10)

    assert torch.equal(both[1], one[1])


def test_little_memory_for_noise_changes_nothing(monkeypatch):
    data = make_data(70, 5, 3)
    task = make_task(data, [{"dropout": 0.3, "input_dropout": 0.1, "hidden_units": 13, "batch_size": 16}] * 2)
    plenty = train_lanes(task, data, epochs=2)

    monkeypatch.setattr(batches, "NOISE_AT_ONCE", 600)
    little = train_lanes(task, data, epochs=2)

    for key, weights in plenty.items():
        assert_same_bits(little[key], weights)
