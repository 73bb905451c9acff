"""Law 1 for what happens between a gradient and the new weights: schedules, cut-offs, decay, optimizers."""

from itertools import product

import pytest
import torch

from hpo.fused import optimizers
from hpo.fused.trainer import Trainer
from hpo.space import Value
from hpo.testing.lanes import assert_lanes_match, make_data, make_task

Params = dict[str, Value]

OPTIMIZERS = (*optimizers.OPTIMIZERS, "centered")
RATES = {"sgd": 0.05, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.02, "adadelta": 1.0}
SCHEDULES: tuple[Params, ...] = (
    {},
    {"schedule": "step", "step_epochs": 2, "decay": 0.3},
    {"schedule": "exponential", "decay": 0.7, "warmup_epochs": 2},
    {"schedule": "cosine", "rate_floor": 0.05},
    {"schedule": "cosine", "warmup_epochs": 1},
    {"schedule": "cyclic", "cycle_epochs": 3, "rate_floor": 0.2},
    {"schedule": "cyclic", "cycle_epochs": 1, "cyclic_mode": "triangular2", "warmup_epochs": 1},
    {"schedule": "one_cycle"},
    {"schedule": "one_cycle", "warmup_epochs": 1},
    {"warmup_epochs": 3},
)
CUT_OFFS: tuple[Params, ...] = (
    {"clip_norm": 0.4},
    {"clip_value": 0.02},
    {"skip_norm": 1.2},
    {},
    {"clip_norm": 0.7, "clip_value": 0.03, "skip_norm": 1.5},
)
DECAYS: tuple[Params, ...] = ({"weight_decay": 0.3}, {"l2": 1e-3}, {"weight_decay": 0.05, "l2": 1e-3}, {})


def updates(**params: Value) -> list[Params]:
    """A trial for each optimizer and schedule; cut-offs and decays take turns, so that each meets each."""
    trials = []
    for place, (optimizer, schedule) in enumerate(product(OPTIMIZERS, SCHEDULES)):
        common: Params = {
            "optimizer": "rmsprop" if optimizer == "centered" else optimizer,
            "centered": optimizer == "centered",
            "learning_rate": RATES.get(optimizer, 0.003) * (1 + place / 100),
            "beta1": 0.9 - 0.6 * (place % 3 == 0),
            "l1": 1e-4 * (place % 2),
        }
        row, turn = divmod(place, len(SCHEDULES))
        trials.append(
            common
            | schedule
            | CUT_OFFS[(row + turn) % len(CUT_OFFS)]
            | DECAYS[(row + turn + turn // 4) % len(DECAYS)]
            | params
        )
    return trials


def test_every_optimizer_with_schedule_cut_off_and_decay_has_the_bits_of_plain_torch():
    data = make_data(320, 20, 3)
    task = make_task(data, updates(epochs=5))

    assert_lanes_match(task, data, epochs=5)  # 50 steps


@pytest.mark.parametrize("n_classes", [0, 3])
def test_in_double_precision_they_agree_to_a_billionth(n_classes):
    data = make_data(120, 7, n_classes)
    task = make_task(data, updates(hidden_units="13-5", batch_size=24, epochs=4))

    assert_lanes_match(task, data, epochs=4, dtype=torch.float64, tolerance=1e-9)


def test_the_trials_above_skip_some_updates_and_take_others():
    data = make_data(320, 20, 3)
    trials = updates(epochs=5)
    task = make_task(data, trials)
    (group,) = Trainer(task, data).groups

    for epoch in range(1, 6):
        group.train_epoch(epoch)

    skipped = {lane.number: n for lane, n in zip(group.lanes, group.skipped.tolist(), strict=True)}
    asked = [skipped[number] for number, trial in enumerate(trials) if "skip_norm" in trial]
    assert all(0 < n < 50 for n in asked)
    assert not any(skipped[number] for number, trial in enumerate(trials) if "skip_norm" not in trial)
