"""Law 1 for lanes narrower than their tensors: plain torch at their own widths, and nothing but zeros beyond."""

import pytest
import torch

from hpo.fused.trainer import Trainer
from hpo.testing.lanes import assert_lanes_match, make_data, make_task
from tests.fused.test_law_plain_torch import pairs

WIDTHS = ("13-5", "16-6", "15-8", "14-7")  # all are padded to 16-8


def padded(*, every, **params):
    """Pairs of optimizer and activation, with widths of their own."""
    trials = pairs(every=every, batch_size=24, **params)
    return [trial | {"hidden_units": WIDTHS[place % len(WIDTHS)]} for place, trial in enumerate(trials)]


@pytest.mark.parametrize("n_classes", [0, 3])
def test_in_double_precision_they_agree_to_a_billionth(n_classes):
    data = make_data(121, 7, n_classes)
    trials = padded(every=5, calm=1.0 if n_classes else 0.2, maxout_pieces=3)

    assert_lanes_match(
        make_task(data, trials, rungs=True), data, epochs=5, dtype=torch.float64, tolerance=1e-9
    )


def test_fifty_steps_agree_to_a_ten_thousandth():
    data = make_data(240, 7, 3)

    assert_lanes_match(make_task(data, padded(every=6, calm=0.3), rungs=True), data, epochs=5, tolerance=1e-4)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_what_is_beyond_a_lane_stays_zero(batch_norm):
    data = make_data(60, 7, 3)
    trials = padded(every=1, batch_norm=batch_norm)
    groups = Trainer(make_task(data, trials, rungs=True), data).groups

    for group in groups:
        for epoch in (1, 2):
            group.train_epoch(epoch)

        for place, lane in enumerate(group.lanes):
            row = group.flat[place : place + 1].clone()
            for views in group.layout.own(row, group.shape_of(lane)).values():
                for view in views:
                    view.zero_()
            assert not row.any(), lane.settings
