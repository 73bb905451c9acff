"""The main path as a user walks it: the real program, real workers, a real database."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest

import hpo
from hpo.testing.frozen import freeze_a_worker

# log_loss and 23 hidden units: values and widths in which a lane's neighbours would show first.
STUDY = """
name: {name}
data: {{source: digits}}
objective: {{metric: log_loss}}
trials: {trials}
epochs: {epochs}
parameters:
  learning_rate: {{low: 1e-4, high: 1e-1, log: true}}
  l2: {{low: 1e-6, high: 1e-2, log: true}}
  optimizer: [sgd, momentum, adam, rmsprop]
  dropout: {{low: 0.0, high: 0.5}}
  hidden_units: 23
"""

LONG = {"trials": 24, "epochs": 40}
SMALL = ("--data", "iris", "--epochs", "3", "--workers", "1")


class Program:
    """The program `hpo` with a home of its own."""

    def __init__(self, home):
        self.home = home
        self.url = f"sqlite:///{home / 'hpo.db'}"
        checkout = str(Path(hpo.__file__).parents[1])
        self.environment = os.environ | {"HPO_HOME": str(home), "PYTHONPATH": checkout}
        for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE", "HPO_PRECISION"):
            self.environment.pop(name, None)

    def start(self, *words):
        return subprocess.Popen(
            [sys.executable, "-m", "hpo.cli.main", *words],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words, code=0):
        program = self.start(*words)
        out, err = program.communicate(timeout=60)
        assert program.returncode == code, err
        return out

    def study_file(self, name, *, trials=12, epochs=3):
        path = self.home / f"{name}.yaml"
        path.write_text(STUDY.format(name=name, trials=trials, epochs=epochs))
        return str(path)

    def trials(self, name):
        return json.loads(self("trials", name, "-f", "json"))

    def interrupted(self, *words, by):
        """Run until some trials have finished, and a stopped worker keeps others; then send a signal.

        Gives (exit code, standard error).
        """
        program = self.start("run", *words, "--workers", "2")
        freeze_a_worker(program.pid)
        lines = []
        for line in program.stderr:
            lines.append(line)
            if "/s" in line and " 0/" not in line.replace(":", ""):
                break
        program.send_signal(by)
        _, rest = program.communicate(timeout=60)
        return program.returncode, "".join(lines) + rest


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The trials of a search that nothing disturbed."""
    program = Program(tmp_path_factory.mktemp("whole"))
    program("run", program.study_file("whole", **LONG), "--workers", "1")
    return program.trials("whole")


def results_of(trials):
    """What must not depend on who trained a trial, and when."""
    names = ("number", "state", "reason", "value", "params", "epochs", "best_epoch")
    return [{name: trial[name] for name in names} for trial in trials]


def test_a_search_on_digits_ends_with_a_setting_a_test_score_and_what_to_type_next(program):
    out = program("run", "--data", "digits", "--trials", "12", "--epochs", "5", "--seed", "1")

    best = json.loads(program("best", "digits", "-f", "json"))
    assert f"(trial {best['number']})" in out
    assert "hpo trials digits --sort -value" in out
    assert best["states"] == {"COMPLETE": 12}
    assert best["value"] > 0.9
    assert best["test"]["accuracy"] > 0.85
    assert best["test"]["scored"] == 1

    # Optuna reads the same database and agrees.
    study = optuna.load_study(study_name="digits", storage=program.url)
    assert (study.best_trial.number, study.best_value) == (best["number"], best["value"])
    assert study.best_params == best["params"]
    assert len(study.trials) == 12
    with closing(sqlite3.connect(program.home / "hpo.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert not list((program.home / "scratch").glob("*"))  # no copy of the data stays behind


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A search on one worker in cohorts as wide as may be: its trials and its test score."""
    program = Program(tmp_path_factory.mktemp("alone"))
    program("run", program.study_file("alone"), "--workers", "1", "--cohort-lanes", "256")
    return program.trials("alone"), json.loads(program("best", "alone", "-f", "json"))["test"]


@pytest.mark.parametrize("pool", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_workers_cohorts_and_the_kind_of_pool_do_not_change_a_bit(program, alone, pool):
    program("run", program.study_file("many"), "--pool", pool, "--workers", "2", "--cohort-lanes", "5")

    assert results_of(program.trials("many")) == results_of(alone[0])
    assert len(alone[0]) == 12
    assert json.loads(program("best", "many", "-f", "json"))["test"] == alone[1]


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_search_ends_as_if_nothing_had_happened(program, uninterrupted, by, code):
    found, err = program.interrupted(program.study_file("broken", **LONG), "--cohort-lanes", "4", by=by)
    assert found == code, err
    if by is signal.SIGINT:
        assert "hpo resume broken" in err
    before = program.trials("broken")
    finished = {trial["number"]: trial for trial in before if trial["state"] == "COMPLETE"}
    assert 0 < len(finished) < LONG["trials"]

    program("resume", "broken")

    after = program.trials("broken")
    assert results_of(after) == results_of(uninterrupted)
    assert {n: t for n, t in enumerate(after) if n in finished} == finished  # not trained again


def test_a_fast_study_says_so_and_goes_on_so(program):
    program("run", *SMALL, "--trials", "4", "--precision", "fast")
    program("resume", "iris", "--trials", "7", "--workers", "1")

    shown = json.loads(program("show", "iris", "-f", "json"))

    assert shown["states"] == {"COMPLETE": 7}
    assert shown["versions"]["precision"] == "fast"


def test_two_searches_in_one_database_at_once(program):
    searches = [program.start("run", *SMALL, "--trials", "6") for _ in range(2)]

    for search in searches:
        _, err = search.communicate(timeout=60)
        assert search.returncode == 0, err

    names = [study["name"] for study in json.loads(program("ls", "-f", "json"))]
    assert sorted(names) == ["iris", "iris-2"]
    assert results_of(program.trials("iris")) == results_of(program.trials("iris-2"))


def test_a_grid_trains_every_point_once_and_grows_no_further(program):
    grid = "parameters={learning_rate: [0.001, 0.01, 0.1], hidden_units: [8, 16]}"
    program("run", *SMALL, "--sampler", "grid", "--set", grid)

    points = [tuple(trial["params"].values()) for trial in program.trials("iris")]

    assert sorted(points) == [(rate, units) for rate in (0.001, 0.01, 0.1) for units in (8, 16)]
    program("resume", "iris", "--trials", "7", code=1)


def test_a_completed_study_takes_more_trials_and_is_scored_again(program):
    program("run", *SMALL, "--trials", "4")
    before = program.trials("iris")
    program("resume", "iris", "--trials", "7", "--workers", "1")

    shown = json.loads(program("show", "iris", "-f", "json"))

    assert shown["states"] == {"COMPLETE": 7}
    assert shown["test"]["scored"] == 2
    assert program.trials("iris")[:4] == before


def test_other_data_than_the_study_began_with_are_refused_and_nothing_moves(program):
    data = program.home / "small.csv"
    rows = [f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}" for i in range(60)]
    data.write_text("\n".join(["a,b,y", *rows]))
    program("run", *SMALL, "--data", "small.csv", "--target", "y", "--trials", "2")
    data.write_text("\n".join(["a,b,y", *rows[::-1]]))

    program("resume", "small", "--trials", "4", "--workers", "1", code=1)

    assert json.loads(program("show", "small", "-f", "json"))["state"] == "COMPLETED"


def test_repeats_and_folds_are_shown_with_their_standard_errors(program):
    out = program(
        "run",
        *SMALL,
        "--trials",
        "2",
        "--set",
        "repeats=2",
        "--set",
        "data.split.folds=3",
        "--name",
        "folded",
    )

    best = json.loads(program("best", "folded", "-f", "json"))
    shown = program("show", "folded")
    assert best["stderr"] > 0
    assert set(best["test"]["stderr"]) == {"accuracy", "log_loss", "f1"}
    assert "±" in out.splitlines()[0]
    assert "3 folds of 80 train, 40 validate; 30 test" in shown
    assert all(trial["stderr"] is not None for trial in program.trials("folded"))
