"""A lane that goes on from where another one is: to the bit, and nobody else notices."""

from dataclasses import replace

import pytest
import torch

from hpo.errors import SpecError
from hpo.fused.trainer import Trainer
from hpo.hyperparams import OPTIMIZERS
from hpo.testing.lanes import assert_same_bits, make_data, make_task, weights_of

SMALL = {"hidden_units": "13-5", "batch_size": 16, "epochs": 9, "dropout": 0.2}
SKIPPING = {"optimizer": "adam", "skip_norm": 2.5, "learning_rate": 0.05}


def trainer_of(*trials, data=None, **changes):
    data = data or make_data(61, 6, 3)
    return Trainer(replace(make_task(data, [SMALL | t for t in trials], repeats=2), **changes), data)


def train(trainer, *epochs):
    for epoch in epochs:
        for group in trainer.groups:
            group.train_epoch(epoch)


def settings_of_trials(trainer):
    return {number: trial.settings for number, trial in trainer.trials.items()}


@pytest.mark.parametrize(
    "source",
    [{"optimizer": name} for name in OPTIMIZERS]
    + [SKIPPING, {"optimizer": "rmsprop", "centered": True}, {"batch_norm": True}],
)
def test_a_copied_lane_goes_on_as_the_original_does(source):
    others = [{"optimizer": "adam", "activation": "tanh"}, {"optimizer": "sgd", "learning_rate": 0.3}]
    shared = {"batch_norm": source.get("batch_norm", False)}
    trainer, alone = (trainer_of(*(shared | trial for trial in (source, *others))) for _ in range(2))
    train(trainer, 1, 2)
    train(alone, 1, 2, 3, 4)

    trainer.copy({2: 0}, {2: trainer.trials[0].settings})
    train(trainer, 3, 4)

    got, wanted = weights_of(trainer.groups), weights_of(alone.groups)
    for repeat in (0, 1):
        assert_same_bits(got[2, repeat, 0], wanted[0, repeat, 0], "the copy")
        for number in (0, 1):
            assert_same_bits(got[number, repeat, 0], wanted[number, repeat, 0], "nobody else notices")


def test_a_copied_lane_follows_its_own_settings_from_then_on():
    fast, slow = (
        {"optimizer": "momentum"},
        {"optimizer": "nesterov", "learning_rate": 1e-3, "activation": "tanh"},
    )
    changed = {"optimizer": "nesterov", "learning_rate": 0.02, "l2": 0.1}
    trainer, by_hand = trainer_of(fast, slow), trainer_of(fast, changed)
    train(trainer, 1)
    train(by_hand, 1)
    for group in by_hand.groups:
        place = {lane.number: place for place, lane in enumerate(group.lanes)}
        for tensor in (group.flat, *group.states):
            tensor[place[1]] = tensor[place[0]]

    trainer.copy({1: 0}, {1: by_hand.trials[1].settings})
    train(trainer, 2)
    train(by_hand, 2)

    assert trainer.trials[1].settings == by_hand.trials[1].settings
    for key, wanted in weights_of(by_hand.groups).items():
        assert_same_bits(weights_of(trainer.groups)[key], wanted, key)


def test_lanes_may_be_exchanged():
    trainer = trainer_of({"learning_rate": 0.1}, {"learning_rate": 0.001})
    train(trainer, 1)
    before, settings = weights_of(trainer.groups), settings_of_trials(trainer)

    trainer.copy({0: 1, 1: 0}, settings)

    after = weights_of(trainer.groups)
    for number in (0, 1):
        assert_same_bits(after[number, 0, 0], before[1 - number, 0, 0])
    assert settings_of_trials(trainer) == settings


def test_what_a_trial_was_best_with_stays_its_own():
    trainer = trainer_of({"optimizer": "adam"}, {"optimizer": "adam", "activation": "tanh"})
    train(trainer, 1)
    for group in trainer.groups:
        group.remember(range(len(group.lanes)))
    best = {
        (lane.number, lane.repeat): group.best[place].clone()
        for group in trainer.groups
        for place, lane in enumerate(group.lanes)
    }

    trainer.copy({1: 0}, {1: trainer.trials[0].settings})

    for group in trainer.groups:
        assert torch.equal(group.flat[0], group.flat[1])
        for place, lane in enumerate(group.lanes):
            assert torch.equal(group.best[place], best[lane.number, lane.repeat])


def test_a_checkpoint_after_a_copy_resumes_to_the_bit():
    trials = [
        SKIPPING,
        SKIPPING | {"activation": "tanh"},
        {"optimizer": "momentum"},
        {"optimizer": "momentum"},
    ]
    data = make_data(61, 6, 3)
    trainer = trainer_of(*trials, data=data)
    reports, checkpoints = [], []

    def copying(report):
        reports.append(report)
        if report.epoch == 3:
            nesterov = replace(trainer.trials[2].settings, optimizer="nesterov", learning_rate=0.02)
            other = replace(trainer.trials[0].settings, activation="sigmoid", epochs=7)
            trainer.copy({1: 0, 3: 2}, {1: other, 3: nesterov})
        checkpoints.append(trainer.checkpoint())

    trainer.run(copying)

    for place in (2, 4):
        again = []
        trainer_of(*trials, data=data, checkpoints=(checkpoints[place],)).run(again.append)
        assert again == reports[place + 1 :]
    assert {r.number: r.epochs for report in reports for r in report.ended} == {0: 9, 1: 7, 2: 9, 3: 9}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"optimizer": "adam"}, "adam cannot go on from the states of momentum"),
        ({"hidden": (12, 5)}, "keeps its widths 13-5, it cannot become 12-5"),
        ({"activation": "maxout"}, "maxout"),
        ({"skip_norm": 1.0}, "skip"),
    ],
)
def test_what_does_not_go_with_the_weights_is_refused_before_anything_changes(changes, sentence):
    trainer = trainer_of({"optimizer": "momentum"}, {"optimizer": "momentum", "learning_rate": 0.1})
    train(trainer, 1)
    before, settings = weights_of(trainer.groups), settings_of_trials(trainer)
    odd = replace(settings[0], **changes)

    with pytest.raises(SpecError, match=sentence):
        trainer.copy({0: 1, 1: 0}, {0: settings[0], 1: odd})

    assert settings_of_trials(trainer) == settings
    assert_same_bits(weights_of(trainer.groups)[0, 0, 0], before[0, 0, 0])


def test_a_lane_goes_on_from_one_other_only():
    trainer = trainer_of({}, {}, {})

    with pytest.raises(ValueError, match="one other"):
        trainer.groups[0].copy([(0, 2), (1, 2)], [trainer.trials[0].settings] * 2)
