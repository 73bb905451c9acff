"""Searches killed at random moments end as if nothing had happened, and the checker who says so can see."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def play(home, *words):
    command = [sys.executable, str(HERE / "kill_rounds.py"), "--home", str(home), *words]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Two rounds, a random search and a grid: (the program's end, its folder)."""
    home = tmp_path_factory.mktemp("rounds")
    return play(home, "--rounds", "2", "--trials", "40"), home


@pytest.fixture(scope="module")
def checker():
    """The module checker.py, which is a program of its own and no part of a package."""
    spec = spec_from_file_location("chaos_checker", HERE / "checker.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_killed_searches_end_as_if_nothing_had_happened(played):
    program, _ = played

    assert program.returncode == 0, program.stdout + program.stderr
    assert [line for line in program.stdout.splitlines() if "round" in line] == ["round 0: ok", "round 1: ok"]


def test_a_grid_of_2000_points_has_every_point_once_whoever_is_killed(tmp_path):
    program = play(
        tmp_path, "--rounds", "1", "--only", "grid", "--trials", "800", "--kills", "4", "--seed", "3"
    )

    assert program.returncode == 0, program.stdout + program.stderr
    assert "round 0: ok" in program.stdout
    assert "trials done" in program.stdout  # it was killed at all


@pytest.mark.ray
def test_killed_searches_on_ray_do_so_too(tmp_path):
    program = play(tmp_path, "--rounds", "1", "--trials", "100", "--pool", "ray")

    assert program.returncode == 0, program.stdout + program.stderr
    assert "round 0: ok" in program.stdout


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE hpo_trials SET number = 1000 WHERE number = 7", "101 numbers, of 101"),
        (
            "UPDATE hpo_trials SET params = (SELECT params FROM hpo_trials WHERE number = 1) WHERE number = 2",
            "99 different",
        ),
        ("UPDATE hpo_trials SET state = 'RUNNING' WHERE number = 3", "trials are {'RUNNING'}"),
        ("UPDATE hpo_trials SET value = value + 1e-15 WHERE number = 3", "results differ"),
        ("UPDATE hpo_trials SET best_epoch = 0 WHERE number = 3", "results differ"),
        ("UPDATE hpo_curves SET block = zeroblob(8) WHERE number = 3", "results differ"),
        ("UPDATE trial_values SET value = 0 WHERE trial_id = 3", "Optuna's trials are not hpo's"),
        ("UPDATE trial_intermediate_values SET intermediate_value = 0 WHERE trial_id = 3", "steps differ"),
        ("UPDATE hpo_chunks SET data = zeroblob(8)", "model differ"),
        ("UPDATE hpo_cohorts SET state = 'RUNNING' WHERE id = 3", "cohorts are"),
        ("UPDATE hpo_studies SET lease_until = 1", "a driver or a lease"),
        ("UPDATE hpo_trials SET sampled = 1 WHERE number = 0", "0 enqueued settings were tried, of 1"),
        (
            "INSERT INTO hpo_queue (study_id, params, created_at) VALUES (1, '{}', '2026-01-01')",
            "1 settings still wait",
        ),
        ("UPDATE hpo_studies SET test = replace(test, '\"scored\":1', '\"scored\":2')", "the test score is"),
        ("UPDATE hpo_studies SET n_complete = n_complete - 1", "n_complete is 100, not 101"),
    ],
)
def test_the_checker_sees_what_is_wrong(played, checker, tmp_path, statement, complaint):
    _, home = played
    reference = home / "whole-1" / "hpo.db"
    spoiled = shutil.copy(reference, tmp_path / "hpo.db")
    with closing(sqlite3.connect(spoiled)) as db, db:
        changed = db.execute(statement).rowcount

    wrong = [*checker.check(spoiled, "broken"), *checker.compare(spoiled, reference, "broken")]

    assert changed > 0
    assert complaint in " ".join(wrong)
