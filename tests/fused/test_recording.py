"""An epoch can be recorded and played: nothing in it depends on Python, waits for the device, or moves in memory."""

import random
from dataclasses import replace
from itertools import product

import pytest
import torch

from hpo.fused import feed
from hpo.fused.recording import Repeated
from hpo.fused.trainer import Trainer
from hpo.testing.lanes import assert_same_bits, make_data, make_task, weights_of
from hpo.testing.tape import Tape
from tests.fused.test_law_neighbours import any_trial


def cohort(n_classes, metric, **shared):
    rnd = random.Random(n_classes)
    data = make_data(67, 9, n_classes)
    trials = [any_trial(rnd) | {"hidden_units": "13-8", "batch_size": 10} | shared for _ in range(12)]
    return make_task(data, trials, metric=metric), data


@pytest.mark.parametrize(
    ("n_classes", "metric"), [(0, "rmse"), (2, "accuracy"), (3, "log_loss"), (3, "f1"), (0, "r2")]
)
def test_epochs_played_from_a_recording_have_the_bits_of_epochs_done(n_classes, metric):
    task, data = cohort(n_classes, metric)
    groups, players = Trainer(task, data).groups, Trainer(task, data, recorder=Tape).groups

    for (done, played), epoch in product(zip(groups, players, strict=True), range(1, 6)):
        wanted, got = done.train_epoch(epoch), played.train_epoch(epoch)

        assert torch.equal(got.train.nan_to_num(), wanted.train.nan_to_num())
        assert torch.equal(got.validation.nan_to_num(), wanted.validation.nan_to_num())
        assert torch.equal(got.finite, wanted.finite)
    for key, weights in weights_of(groups).items():
        assert_same_bits(weights_of(players)[key], weights, key)


def test_an_epoch_in_several_pieces_is_the_same_epoch(monkeypatch):
    task, data = cohort(3, "accuracy")
    whole = Trainer(task, data).groups
    monkeypatch.setattr(feed, "STEPS_AT_ONCE", 3)
    pieces, played = Trainer(task, data).groups, Trainer(task, data, recorder=Tape).groups

    for same, epoch in product(zip(whole, pieces, played, strict=True), range(1, 5)):
        measured = [group.train_epoch(epoch) for group in same]

        for other in measured[1:]:
            torch.testing.assert_close(other.train, measured[0].train, rtol=1e-12, atol=0, equal_nan=True)
    for key, weights in weights_of(whole).items():
        assert_same_bits(weights_of(pieces)[key], weights, key)
        assert_same_bits(weights_of(played)[key], weights, key)


def test_lanes_dropped_between_recordings_leave_the_others_as_they_are():
    task, data = cohort(3, "accuracy")
    groups, players = Trainer(task, data).groups, Trainer(task, data, recorder=Tape).groups

    for (whole, played), epoch in product(zip(groups, players, strict=True), range(1, 7)):
        whole.train_epoch(epoch)
        played.train_epoch(epoch)
        if epoch == 3:
            played.keep(range(0, len(played.lanes), 3))

    for key, weights in weights_of(players).items():
        assert_same_bits(weights, weights_of(groups)[key], key)


def test_work_that_waits_for_the_device_cannot_be_recorded():
    repeated = Repeated(Tape)
    numbers = torch.arange(3.0)
    repeated("key", lambda: numbers.sum().item())

    with pytest.raises(AssertionError, match="wait for the device"):
        repeated("key", lambda: numbers.sum().item())


def test_a_whole_run_is_the_same_from_recordings():
    task, data = cohort(3, "accuracy", activation="relu", hidden_units="33-17", batch_size=32)
    lanes = tuple(
        replace(lane, settings=replace(lane.settings, epochs=4 + lane.number)) for lane in task.lanes
    )
    task = replace(task, lanes=lanes)
    results, steps, tapes = [], [], []

    def tape():
        tapes.append(Tape())
        return tapes[-1]

    for recorder in (None, tape):
        ended = []
        trained = Trainer(task, data, recorder=recorder).run(
            lambda report, ended=ended: ended.extend(report.ended)
        )
        results.append({result.number: repr(result) for result in ended})
        steps.append(trained.lane_steps)

    assert results[0] == results[1]
    assert steps[0] == steps[1]
    # Training and looking are recorded with twelve, six and three lanes, though one ends after each epoch.
    assert len(tapes) == 2 * 3


def stop_after_six(report):
    """Three trials of twelve have ended by then."""
    if report.epoch == 6:
        raise KeyboardInterrupt


def test_copies_and_resumes_do_not_notice_ended_lanes_that_are_still_recorded():
    task, data = cohort(3, "accuracy", activation="relu", hidden_units="33-17", batch_size=32)
    lanes = [replace(lane, settings=replace(lane.settings, epochs=4 + lane.number)) for lane in task.lanes]
    task, results = replace(task, lanes=tuple(lanes)), []

    for recorder in (None, Tape):
        trainer = Trainer(task, data, recorder=recorder)
        with pytest.raises(KeyboardInterrupt):
            trainer.run(stop_after_six)
        resumed = Trainer(replace(task, checkpoints=(trainer.checkpoint(),)), data, recorder=recorder)
        for one in (trainer, resumed):
            ended = []
            to, source = list(one.trials)[:2]
            one.copy({to: source}, {to: one.trials[source].settings})
            one.run(lambda report, ended=ended: ended.extend(report.ended))
            results.append({result.number: repr(result) for result in ended})

    assert len(results[0]) == 9
    assert results == [results[0]] * 4
