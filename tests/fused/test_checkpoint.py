"""What is saved of cohorts puts others where they were, whatever shares the new cohort."""

from dataclasses import replace

import pytest

from hpo.fused.trainer import Trainer
from hpo.testing.lanes import make_data, make_task

DATA = make_data(61, 6, 3)
OPTIMIZERS = ("sgd", "momentum", "adam", "amsgrad")  # they keep 0, 1, 2 and 3 states


class Halt(Exception):
    """Raised at the epoch of a halt."""


def halted(task, epoch):
    trainer = Trainer(task, DATA)

    def stop(report):
        if report.epoch == epoch:
            raise Halt

    with pytest.raises(Halt):
        trainer.run(stop)
    return trainer.checkpoint()


def losses(task):
    reports = []
    Trainer(task, DATA).run(reports.append)
    ended = [trial for report in reports for trial in report.ended]
    return {trial.number: trial.curve.column("validation_log_loss") for trial in ended}


def test_lanes_whose_optimizers_keep_different_states_are_merged_to_the_bit():
    small = {"hidden_units": 9, "batch_size": 16, "epochs": 6}
    task = make_task(DATA, [small | {"optimizer": name} for name in OPTIMIZERS])
    alone = [replace(task, lanes=(lane,)) for lane in task.lanes]
    saved = tuple(halted(part, 3) for part in alone)

    assert losses(replace(task, checkpoints=saved)) == losses(task)
    together = halted(task, 3)
    for part in alone:
        assert losses(replace(part, checkpoints=(together,))) == losses(part)
