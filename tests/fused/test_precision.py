"""The faster mode is off unless asked for, near the exact one, and gone when its work is done."""

from dataclasses import replace

import pytest
import torch

from hpo.fused import device
from hpo.fused.device import EXACT_PRODUCTS, products
from hpo.fused.trainer import Trainer
from hpo.settings import EXACT, FAST
from hpo.testing.lanes import assert_near, make_data, make_task, train_lanes

# Wide enough for oneDNN and MKL to add up in another order.
NET = {"hidden_units": "256-64", "batch_size": 64, "dropout": 0.1}


def train(precision, **params):
    data = make_data(330, 400, 3)
    task = replace(make_task(data, [NET | params] * 3), precision=precision)
    with products(precision) as in_force:
        lanes = train_lanes(task, data, epochs=2)
    return in_force, lanes[1, 0, 0]


def test_a_task_is_exact_unless_it_says_otherwise():
    data = make_data()

    assert make_task(data, [NET]).precision == EXACT


DECAYED = {"optimizer": "adamw", "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.99, "schedule": "cosine"}


@pytest.mark.parametrize(
    "params", [{}, {"input_dropout": 0.2}, {"hidden_units": "24-16"}, DECAYED, DECAYED | {"skip_norm": 5.0}]
)
def test_fast_products_are_made_in_another_way_with_nearly_the_same_weights(params):
    exact_mode, exact = train(EXACT, **params)
    fast_mode, fast = train(FAST, **params)

    assert exact_mode == EXACT
    assert_near(fast, exact, 1e-3)
    if fast_mode == FAST:
        assert any((a != b).any() for a, b in zip(fast.weights, exact.weights, strict=True))


def test_a_fast_cohort_that_is_resumed_ends_as_one_that_was_not():
    data = make_data(330, 400, 3)
    task = replace(make_task(data, [NET | DECAYED | {"epochs": 4}] * 3), precision=FAST)
    checkpoints = []
    with products(FAST):
        trainer = Trainer(task, data)
        expected = trainer.run(lambda _: checkpoints.append(trainer.checkpoint())).best_lanes
        resumed = Trainer(replace(task, checkpoints=(checkpoints[1],)), data).run(lambda _: None).best_lanes

    assert expected is not None
    assert resumed is not None
    assert all((a == b).all() for a, b in zip(expected[0].weights, resumed[0].weights, strict=True))


def test_exact_products_follow_a_fast_cohort_even_one_that_failed():
    _, before = train(EXACT)
    with pytest.raises(RuntimeError), products(FAST):
        raise RuntimeError

    assert torch.get_float32_matmul_precision() == EXACT_PRODUCTS
    _, after = train(EXACT)
    assert all((a == b).all() for a, b in zip(before.weights, after.weights, strict=True))


def test_a_processor_that_would_round_off_too_much_goes_on_with_exact_products(monkeypatch, caplog):
    monkeypatch.setattr(device, "MOST_ERROR", 1e-12)  # float32 itself is off by more

    with products(FAST) as in_force:
        assert torch.get_float32_matmul_precision() == EXACT_PRODUCTS

    assert in_force == EXACT
    assert "exact ones" in caplog.text
