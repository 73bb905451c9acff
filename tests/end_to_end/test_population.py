"""A population as a user meets it: run, looked at, and the schedule it found trained again to the same bits."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import hpo
from hpo.storage.open import open_storage

pytestmark = pytest.mark.timeout(240)

STUDY = """
name: pop
data: {source: iris}
objective: {metric: log_loss}
trials: 16
epochs: 15
repeats: 2
pruner: {name: population, min_epochs: 2, options: {quantile: 0.3, resample: 0.3}}
early_stopping: {patience: 9}
parameters:
  learning_rate: {low: 1e-3, high: 1.0, log: true}
  dropout: {low: 0.0, high: 0.5}
  optimizer: [momentum, adam]
  momentum: {low: 0.5, high: 0.99, when: {optimizer: [momentum]}}
  activation: [relu, tanh]
  hidden_units: 11
  batch_size: 16
"""


class Program:
    """The program `hpo` with a home of its own."""

    def __init__(self, home):
        self.home = home
        checkout = str(Path(hpo.__file__).parents[1])
        self.environment = os.environ | {"HPO_HOME": str(home), "PYTHONPATH": checkout}
        for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE", "HPO_PRECISION"):
            self.environment.pop(name, None)

    def __call__(self, *words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "hpo.cli.main", *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def read(self, look):
        with closing(open_storage(f"sqlite:///{self.home / 'hpo.db'}")) as storage:
            return look(storage)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A home in which the study has ended."""
    found = Program(tmp_path_factory.mktemp("home"))
    (found.home / "pop.yaml").write_text(STUDY)
    found("run", "pop.yaml", "--workers", "1", "--quiet")
    return found


def bits(trial):
    return trial.value.hex(), trial.stderr.hex(), trial.best_epoch


def test_what_trials_inherited_is_shown(program):
    heirs = [trial for trial in program.read(lambda s: s.trials("pop")) if trial.lineage]
    first = heirs[0].lineage[0]

    shown = program("show", "pop", "--trial", str(heirs[0].number))

    assert len(heirs) > 3
    assert f"  epoch {first.epoch}: from trial {first.source}" in shown
    assert f"{len(heirs)} of 16 trials went on from another one" in program("show", "pop")


def test_the_best_trials_schedule_trained_again_gives_its_value_and_its_test_score(program):
    program("fork", "pop", "--replay", "-o", "again.yaml")
    program("run", "again.yaml", "--workers", "1", "--quiet")

    [found], [again] = (program.read(lambda s, name=name: s.best_trials(name)) for name in ("pop", "again"))
    one, other = (program.read(lambda s, name=name: s.get_study(name).test) for name in ("pop", "again"))
    assert bits(again) == bits(found)
    assert other == one | {"number": 0}


def test_any_trials_schedule_can_be_trained_again(program):
    trials = program.read(lambda s: s.trials("pop"))
    heir = max(trials, key=lambda t: sum(change.epoch < (t.best_epoch or 0) for change in t.lineage))

    program("fork", "pop", "--replay", "--trial", str(heir.number), "--name", "heir")
    program("resume", "heir", "--workers", "1", "--quiet")

    assert heir.lineage[0].epoch < heir.best_epoch
    assert bits(program.read(lambda s: s.best_trials("heir"))[0]) == bits(heir)
