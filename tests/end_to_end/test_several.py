"""Several objectives and constraints as a user meets them: the real program, real workers, Optuna beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

import hpo

STUDY = """
name: {name}
data: {{source: iris}}
objective: {objective}
trials: 40
epochs: 4
parameters:
  learning_rate: {{low: 1e-3, high: 1e-1, log: true}}
  hidden_units: {{low: 2, high: 64, log: true, type: int}}
  hidden_layers: 1
constraints: {{n_parameters: "<= 200", log_loss: "<= 1.5"}}
"""


@pytest.fixture
def program(tmp_path):
    """Runs the program `hpo` with a home of its own, and gives what it answers in JSON."""
    environment = os.environ | {"HPO_HOME": str(tmp_path), "PYTHONPATH": str(Path(hpo.__file__).parents[1])}
    for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE", "HPO_PRECISION"):
        environment.pop(name, None)

    def run(*words):
        command = [sys.executable, "-m", "hpo.cli.main", *words, "-f", "json"]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize("objective", ["[log_loss, n_parameters]", "log_loss"])
def test_hpo_and_optuna_agree_on_what_is_best(program, tmp_path, objective):
    (tmp_path / "study.yaml").write_text(STUDY.format(name="small", objective=objective))

    best = program("run", "study.yaml", "--workers", "1")

    trials = program("trials", "small")
    theirs = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path / 'hpo.db'}")
    refused = {t["number"] for t in trials if t["reason"] == "infeasible"}
    sizes = {t["number"]: t["params"]["hidden_units"] * (4 + 1 + 3) + 3 for t in trials}
    assert refused == {number for number, size in sizes.items() if size > 200}
    assert 0 < len(refused) < 40
    assert sum(t.get("feasible") is False and t["state"] == "COMPLETE" for t in trials) > 0
    assert best["test"]["scored"] == 1
    if objective == "log_loss":
        assert (theirs.best_trial.number, theirs.best_value) == (best["number"], best["value"])
    else:
        front = {one["number"]: one["values"] for one in best["front"]}
        assert front == {t.number: list(t.values) for t in theirs.best_trials}
        assert all(values[1] == sizes[number] for number, values in front.items())
    assert best["number"] in {t.number for t in theirs.best_trials}
