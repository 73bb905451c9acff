"""Law 1 for what happens between a gradient and the new weights: schedules, cut-offs, decay, optimizers."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from hpo.fused import optimizers
from hpo.fused.trainer import Trainer
from hpo.space import Value
from hpo.testing.lanes import (
    assert_lanes_match,
    assert_near,
    assert_same_bits,
    make_data,
    make_task,
    reference_lane,
    weights_of,
)

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
    # Every second, on tensors as wide as they are in practice; the others by the tests below.
    task = make_task(data, [t for place, t in enumerate(updates(epochs=5)) if (place + place // 10) % 2])

    assert_lanes_match(task, data, epochs=5)  # 50 steps


def test_in_double_precision_they_agree_to_a_billionth():
    data = make_data(120, 7, 3)
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


def test_a_tiny_net_agrees_step_by_step():
    data = make_data(10, 7, 2)
    task = make_task(data, updates(hidden_units="5-3", batch_size=10, epochs=6))
    (group,) = Trainer(task, data).groups
    rows = data.folds[0][0]
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    plain = [reference_lane(task, lane, data) for lane in group.lanes]

    for epoch in range(1, 7):  # an epoch is one step; then the fused lane is put where the plain one is
        group.train_epoch(epoch)
        fused = weights_of([group])
        for place, (lane, reference) in enumerate(zip(group.lanes, plain, strict=True)):
            reference.train_epoch(x, y, epoch)
            got, wanted = fused[lane.number, 0, 0], reference.lane_weights()
            assert_near(got, wanted, 1e-6, (epoch, lane.settings), floor=0.1)
            with torch.no_grad():
                for into, linear in zip(group.network.weights, reference.linears, strict=True):
                    into[place] = linear.weight
                for into, linear in zip(group.network.biases, reference.linears, strict=True):
                    into[place] = linear.bias


def skipping():
    """A cohort that skips about half of its updates, and its data."""
    data = make_data(70, 7, 3)
    return make_task(data, updates(hidden_units="13-5", batch_size=16, epochs=5, skip_norm=1.9)), data


def test_stopping_and_resuming_changes_nothing():
    task, data = skipping()
    trainer, reports, checkpoints = Trainer(task, data), [], []

    def note(report):
        reports.append(report)
        checkpoints.append(trainer.checkpoint())

    outcome = trainer.run(note)

    for done in (1, 3):
        rest = []
        again = Trainer(replace(task, checkpoints=(checkpoints[done - 1],)), data).run(rest.append)
        assert repr(rest) == repr(reports[done:])
        for got, wanted in zip(again.best_lanes, outcome.best_lanes, strict=True):
            assert_same_bits(got, wanted)


def test_lanes_dropped_on_the_way_leave_the_others_as_they_are():
    task, data = skipping()
    (group,), (whole,) = Trainer(task, data).groups, Trainer(task, data).groups
    for epoch in range(1, 4):
        whole.train_epoch(epoch)

    group.train_epoch(1)
    group.train_epoch(2)
    group.keep(range(1, len(group.lanes), 2))
    group.train_epoch(3)

    assert 0 < group.skipped.double().mean() < 3 * group.steps_per_epoch
    for key, weights in weights_of([group]).items():
        assert_same_bits(weights, weights_of([whole])[key], key)


def test_batch_norm_prelu_and_maxout_are_clipped_and_moved_as_by_plain_torch():
    data = make_data(96, 7, 3)
    # Biases before batch norm have a true gradient of 0: a larger epsilon lets noise be noise.
    common = {"batch_norm": True, "epsilon": 1e-3, "hidden_units": "13-5", "epochs": 3}
    for activation in ("prelu", "maxout", "relu"):
        trials = updates(activation=activation, **common)[::5]

        assert_lanes_match(make_task(data, trials), data, epochs=3, dtype=torch.float64, tolerance=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_skipped_update_leaves_a_lane_as_it_was(optimizer):
    data = make_data(32, 7, 3)
    common = next(t for t in updates() if t["optimizer"] == optimizer or t["centered"])
    params = common | {"hidden_units": 5, "weight_decay": 0.1, "clip_norm": None, "clip_value": None}
    never = params | {"skip_norm": 1e-6}
    (group,) = Trainer(make_task(data, [params | {"skip_norm": 1e6}, never]), data).groups
    before, best = group.flat.clone(), [state.clone() for state in group.states]

    group.train_epoch(1)

    places = {lane.number: place for place, lane in enumerate(group.lanes)}
    taken, skipped = places[0], places[1]
    assert group.skipped[taken] == 0
    assert group.skipped[skipped] == group.steps_per_epoch
    assert not torch.equal(group.flat[taken], before[taken])
    assert torch.equal(group.flat[skipped], before[skipped])
    for state, first in zip(group.states, best, strict=True):
        assert torch.equal(state[skipped], first[skipped])


def test_a_gradient_that_is_no_number_is_not_too_long():
    data = make_data(32, 7, 3)
    data.folds[0][0].x[0, 0] = float("nan")
    (group,) = Trainer(make_task(data, [{"skip_norm": 1e-6, "optimizer": "sgd"}]), data).groups

    measured = group.train_epoch(1)

    assert group.skipped[0] == 0
    assert not measured.finite[0]
