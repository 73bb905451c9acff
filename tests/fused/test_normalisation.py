"""Batch norm is torch's, in training by the batch and in evaluation by the running statistics."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from hpo.errors import DataError
from hpo.fused.trainer import Trainer
from hpo.testing.lanes import (
    assert_lanes_match,
    assert_near,
    make_data,
    make_task,
    reference_lane,
    train_lanes,
    train_reference,
)
from tests.fused.test_law_plain_torch import pairs

# With these a gradient of rounding errors alone moves a weight as far as any other.
STEPS_OF_ONE_SIZE = ("adagrad", "adadelta", "rmsprop", "adam", "amsgrad", "nadam", "adamw", "radam", "adamax")


def bound(lane):
    """A lane without what has no effect, and a true gradient of 0: biases before batch norm, and their traces."""
    extras = {name: arrays for name, arrays in lane.extras.items() if name != "mean"}
    return replace(lane, biases=lane.biases[-1:], extras=extras)


@pytest.mark.parametrize(("hidden", "batch_size"), [("64-32", 32), ("16-48", 64)])
def test_it_has_the_bits_of_plain_torch(hidden, batch_size):
    data = make_data(5 * batch_size, 20, 3)
    trials = pairs(every=6, hidden_units=hidden, batch_size=batch_size, batch_norm=True)
    trials += [trial | {"clip_norm": 0.5} for trial in trials[::7]]

    assert_lanes_match(make_task(data, trials), data, epochs=4)


@pytest.mark.parametrize("n_classes", [0, 3])
def test_at_odd_widths_it_agrees_to_a_billionth_in_double_precision(n_classes):
    data = make_data(121, 7, n_classes)  # the last batch would be of one row
    trials = pairs(every=6, hidden_units="13-5", batch_size=24, batch_norm=True, calm=0.2)
    task = make_task(data, trials)

    fused = train_lanes(task, data, epochs=5, dtype=torch.float64)

    for lane in task.lanes:
        got = fused[lane.number, 0, 0]
        wanted = train_reference(task, lane, data, epochs=5, dtype=torch.float64)
        assert set(got.extras) >= {"gamma", "beta", "mean", "variance"}
        assert_near(bound(got), bound(wanted), 1e-9, lane.settings)
        if lane.settings.optimizer not in STEPS_OF_ONE_SIZE:
            assert_near(got, wanted, 1e-9, lane.settings)


def test_validation_rows_are_normalised_by_the_running_statistics():
    data = make_data(90, 7, 3, n_validation=1)
    task = make_task(
        data, [{"batch_norm": True, "hidden_units": 16, "batch_size": 30, "optimizer": "sgd"}] * 2
    )
    (group,) = Trainer(task, data).groups
    plain = reference_lane(task, task.lanes[0], data)
    training, validation = data.folds[0]

    measured = group.train_epoch(1)

    plain.train_epoch(torch.from_numpy(training.x), torch.from_numpy(training.y), 1)
    out = plain.outputs(torch.from_numpy(validation.x))
    loss = F.cross_entropy(out, torch.from_numpy(validation.y).long()).item()
    assert measured.validation[0, 0].item() == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize(("rows", "batch_size"), [(1, 10), (20, 1)])
def test_a_batch_of_one_row_that_no_other_can_take_is_refused(rows, batch_size):
    data = make_data(rows, 7, 0)
    task = make_task(data, [{"batch_norm": True, "batch_size": batch_size}])

    with pytest.raises(DataError, match=f"{rows} training rows in batches of {batch_size}"):
        Trainer(task, data)
