"""Learning rates over time are those of torch's schedulers, stepped one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from hpo.dataset import Task
from hpo.fused.reference_update import BY_EPOCH, BY_STEP, ReferenceSchedule
from hpo.fused.schedules import SCHEDULES, Rates
from hpo.hyperparams import CYCLIC_MODES, HYPERPARAMETERS
from hpo.training import settings_of

# st.floats refuses to work in a process that flushes denormals, as this one does.
SHARES = st.integers(0, 1000).map(lambda n: n / 1000)
LANES = st.fixed_dictionaries(
    {
        "learning_rate": st.integers(1, 10**7).map(lambda n: n / 10**6),
        "schedule": st.sampled_from(sorted(SCHEDULES)),
        "epochs": st.integers(1, 12),
        "step_epochs": st.integers(1, 5),
        "decay": st.none() | st.integers(1, 20).map(lambda n: n / 20),
        "rate_floor": st.none() | SHARES,
        "cycle_epochs": st.integers(1, 6),
        "cyclic_mode": st.sampled_from(CYCLIC_MODES),
        "warmup_epochs": st.integers(0, 4),
    }
)


def lane(**params):
    return settings_of(params, task=Task.CLASSIFICATION, n_classes=3)[1]


def optimizer(rate):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def all_rates(lanes, steps_per_epoch, n_epochs):
    """[n_epochs * steps_per_epoch, lanes]"""
    rates = Rates(lanes, steps_per_epoch)
    return np.concatenate([rates.of_epoch(epoch) for epoch in range(1, n_epochs + 1)])


def stepped(one, steps_per_epoch):
    """The rates of one lane by torch's scheduler, until its last epoch."""
    moved, rates = optimizer(one.learning_rate), []
    schedule = ReferenceSchedule(moved, one, steps_per_epoch)
    for _ in range(one.epochs):
        for _ in range(steps_per_epoch):
            rates.append(moved.param_groups[0]["lr"])
            schedule.after_step()
        schedule.after_epoch()
    return rates


def test_every_schedule_of_the_vocabulary_is_there():
    assert set(SCHEDULES) == set(HYPERPARAMETERS["schedule"].choices) == set(BY_EPOCH | BY_STEP)


@settings(max_examples=30, deadline=None)
@given(st.lists(LANES, min_size=1, max_size=4), st.integers(1, 7))
def test_rates_are_those_of_torch_whatever_the_knobs(params, steps_per_epoch):
    lanes = [lane(**each) for each in params]

    rates = all_rates(lanes, steps_per_epoch, 12)

    for place, one in enumerate(lanes):
        wanted = stepped(one, steps_per_epoch)
        np.testing.assert_allclose(
            rates[: len(wanted), place], wanted, rtol=1e-9, atol=1e-13 * one.learning_rate, err_msg=repr(one)
        )


@settings(max_examples=40, deadline=None)
@given(LANES, st.integers(1, 4))
def test_a_warm_up_is_followed_by_the_schedule_as_in_torchs_sequence(params, warmup):
    one = lane(**params | {"warmup_epochs": warmup, "epochs": warmup + 8})
    moved, wanted = optimizer(one.learning_rate), []
    rise = lr_scheduler.LinearLR(
        moved, start_factor=1 / warmup, end_factor=1.0, total_iters=max(warmup - 1, 1)
    )
    after = (BY_EPOCH | BY_STEP)[one.schedule](moved, one, 1)
    sequence = lr_scheduler.SequentialLR(moved, [rise, after], [warmup])

    rates = all_rates([one], 1, warmup + 8)[:, 0]  # with one step an epoch, epochs are steps

    for _ in rates:
        wanted.append(moved.param_groups[0]["lr"])
        moved.step()
        sequence.step()
    # Only after the warm-up: torch lets it rise to where OneCycleLR and CyclicLR begin, not to the rate.
    np.testing.assert_allclose(rates[warmup:], wanted[warmup:], rtol=1e-9, atol=1e-13 * one.learning_rate)
    np.testing.assert_allclose(rates[:warmup], one.learning_rate * np.arange(1, warmup + 1) / warmup)


def test_a_lanes_rates_depend_on_no_neighbour():
    rng = np.random.default_rng(0)
    lanes = [
        lane(
            learning_rate=rng.uniform(1e-4, 1),
            schedule=str(rng.choice(sorted(SCHEDULES))),
            warmup_epochs=int(rng.integers(0, 3)),
            epochs=20,
            cycle_epochs=3,
            step_epochs=2,
        )
        for _ in range(70)
    ]

    together = all_rates(lanes, 5, 20)

    for place, one in enumerate(lanes):
        assert np.array_equal(all_rates([one], 5, 20)[:, 0], together[:, place])


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"schedule": "step", "step_epochs": 2, "decay": 0.5}, [1, 1, 0.5, 0.5]),
        ({"schedule": "exponential", "decay": 0.5}, [1, 0.5, 0.25, 0.125]),
        ({"schedule": "cosine", "epochs": 4}, [1, 0.853553, 0.5, 0.146447]),
        ({"schedule": "cosine", "epochs": 4, "rate_floor": 1.0}, [1, 1, 1, 1]),
        ({"schedule": "cyclic", "cycle_epochs": 4, "rate_floor": 0.2}, [0.2, 0.6, 1, 0.6]),
        ({"warmup_epochs": 4}, [0.25, 0.5, 0.75, 1]),
        ({"schedule": "exponential", "decay": 0.5, "warmup_epochs": 2}, [0.5, 1, 1, 0.5]),
    ],
)
def test_rates_by_hand(params, wanted):
    rates = all_rates([lane(learning_rate=1.0, **params)], 1, 4)

    np.testing.assert_allclose(rates[:, 0], wanted, atol=1e-6)


def test_a_run_shorter_than_its_warm_up_only_rises():
    rates = all_rates([lane(learning_rate=1.0, schedule="cosine", warmup_epochs=10, epochs=3)], 2, 3)

    np.testing.assert_allclose(rates[:, 0], np.arange(1, 7) / 20)
