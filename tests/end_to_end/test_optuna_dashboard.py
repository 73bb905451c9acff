"""Optuna and its dashboard read the database, unpatched, while a search runs and after it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import optuna
import pytest

import hpo
from hpo.storage.open import open_storage
from hpo.testing.frozen import freeze_a_worker

pytestmark = pytest.mark.timeout(120)

STUDY = """
name: seen
description: What <b>Optuna</b> sees
data: {source: digits}
trials: 60
epochs: 12
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  hidden_units: {low: 8, high: 32, type: int}
  optimizer: [sgd, adam]
  momentum: {low: 0.5, high: 0.9, when: {optimizer: [sgd]}}
"""
PATIENCE_S = 60.0


@pytest.fixture
def environment(tmp_path):
    found = os.environ | {"HPO_HOME": str(tmp_path), "PYTHONPATH": str(Path(hpo.__file__).parents[1])}
    for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE"):
        found.pop(name, None)
    (tmp_path / "study.yaml").write_text(STUDY)
    return found


@pytest.fixture
def dashboard(environment, tmp_path):
    """Asks the program optuna-dashboard, started before there is any study: path -> JSON."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    open_storage(url).close()  # the dashboard makes no tables
    command = [
        sys.executable,
        "-c",
        "from optuna_dashboard._cli import main; main()",
        url,
        "--port",
        str(port),
    ]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def ask(path):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
                    return json.load(answer)
            except urllib.error.URLError as error:
                refused = isinstance(error.reason, ConnectionRefusedError)
                if not refused or time.monotonic() > deadline or program.poll() is not None:
                    raise

    with subprocess.Popen(command, env=environment, **pipes) as program:
        yield ask
        program.kill()


@pytest.fixture
def search(environment, tmp_path, dashboard):
    """A search that is under way: some of its trials have finished, a stopped worker keeps others; and that worker."""
    dashboard("/api/studies")
    command = [
        sys.executable,
        "-m",
        "hpo.cli.main",
        "run",
        "study.yaml",
        "--workers",
        "2",
        "--cohort-lanes",
        "3",
    ]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, **pipes) as program:
        frozen = freeze_a_worker(program.pid)
        for line in program.stderr:
            before, slash, _ = line.partition("/60 trials,")
            if slash and int(before.split()[-1]) > 0:
                break
        yield program, frozen
        program.kill()


def settled(dashboard, path):
    """What the dashboard shows once it has read again: for a few seconds it shows what it read last."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        shown = dashboard(path)
        running = any(trial["state"] == "Running" for trial in shown["trials"])
        if not running or time.monotonic() > deadline:
            return shown


def best(environment, tmp_path):
    command = [sys.executable, "-m", "hpo.cli.main", "best", "seen", "-f", "json"]
    return json.loads(subprocess.check_output(command, env=environment, cwd=tmp_path))


def test_the_dashboard_and_optuna_read_a_search_while_it_runs_and_after_it(
    search, dashboard, environment, tmp_path
):
    program, frozen = search
    (summary,) = dashboard("/api/studies")["study_summaries"]
    running = dashboard(f"/api/studies/{summary['study_id']}")
    loaded = optuna.load_study(study_name="seen", storage=f"sqlite:///{tmp_path / 'hpo.db'}")
    frame = loaded.trials_dataframe()
    frozen.resume()
    program.stderr.read()
    code = program.wait(PATIENCE_S)
    ended = settled(dashboard, f"/api/studies/{summary['study_id']}")
    ours = best(environment, tmp_path)

    assert (summary["study_name"], summary["directions"]) == ("seen", ["maximize"])
    assert {"Complete", "Running"} <= {trial["state"] for trial in running["trials"]}
    assert {"COMPLETE", "RUNNING"} >= set(frame["state"])
    assert list(frame["number"]) == list(range(len(frame)))
    assert set(frame.columns) >= {f"params_{name}" for name in ("learning_rate", "momentum", "optimizer")}
    assert code == 0
    assert [trial["number"] for trial in ended["trials"]] == list(range(60))
    assert {trial["state"] for trial in ended["trials"]} == {"Complete"}
    assert all(len(trial["intermediate_values"]) == 12 for trial in ended["trials"])
    for number, value in [
        (ended["best_trials"][0]["number"], ended["best_trials"][0]["values"][0]),
        (loaded.best_trial.number, loaded.best_value),
    ]:
        assert (number, value) == (ours["number"], ours["value"])
    assert ended["note"]["body"].startswith("What &lt;b&gt;Optuna&lt;/b&gt; sees\n\n**Diagnosis**")
    assert loaded.best_params == ours["params"]
    assert loaded.trials_dataframe()["value_accuracy"].max() == ours["value"]
