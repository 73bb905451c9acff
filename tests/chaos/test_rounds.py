"""Searches that are disturbed end as if nothing had happened: a fixed round of each stage, judged by the checker.

`make chaos` plays a hundred that chance makes; what it found is in docs/explain/chaos.md.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import sandbox
from tests.chaos.faults import FAULTS, in_a_transaction, possible
from tests.chaos.stages import STAGES

CHECKOUT = Path(__file__).parents[2]
# stage: database, what may happen, the kinds of studies
SHORT = {
    "run": ("sqlite", ["kill coordinator", "kill worker", "freeze worker"], ["random"]),
    "serve": ("postgres", ["kill coordinator", "kill database", "silence data"], ["tpe"]),
    "ray": ("sqlite", ["kill worker", "kill head"], ["random"]),
    "cluster": ("sqlite", ["kill node", "silence node1", "kill worker"], ["random"]),
    "two": ("postgres", ["freeze writer", "kill supervisor"], ["halving"]),
}
LIMIT_S = 240  # of a round, within the time of its test
WITH_RAY = ("ray", "cluster")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the rounds of this file find what each study comes to undisturbed."""
    if (reason := sandbox.missing()) is not None:
        pytest.skip(reason)
    return tmp_path_factory.mktemp("chaos")


def play(home, stage, database, faults, studies, *more):
    """The end of the program that plays one round."""
    command = [*sandbox.TIED, sys.executable, "-m", "tests.chaos.rounds", "--round", "0", "--home", str(home)]
    command += ["--stages", stage, "--databases", database, "--faults", *faults, "--studies", *studies]
    command += ["--limit", str(LIMIT_S), *more]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, marks=[pytest.mark.ray] if stage in WITH_RAY else []) for stage in SHORT],
)
def test_studies_that_are_disturbed_end_as_if_nothing_had_happened(home, stage):
    database, faults, studies = SHORT[stage]
    if database == "postgres" and (reason := sandbox.no_postgres()) is not None:
        pytest.skip(reason)

    program = play(home, stage, database, faults, studies, "--trials", "40", "--blows", "2", "--held", "4")

    assert program.returncode == 0, program.stdout + program.stderr
    assert "round 0: ok" in program.stdout


def test_postgresql_that_is_away_has_nobody_in_the_middle_of_a_transaction():
    assert not in_a_transaction("postgresql://hpo@127.0.0.1:1/postgres")


def test_every_point_of_a_large_grid_is_there_once_whoever_is_killed(home):
    kills = ["kill coordinator", "kill worker", "kill workers"]

    program = play(home, "run", "sqlite", kills, ["grid"], "--trials", "500", "--epochs", "3", "--held", "1")

    assert program.returncode == 0, program.stdout + program.stderr
    assert "round 0: ok" in program.stdout


def test_each_stage_has_a_short_round_with_faults_that_can_happen_there():
    assert SHORT.keys() == STAGES.keys()
    for stage, (database, faults, _) in SHORT.items():
        assert set(faults) <= set(possible(STAGES[stage], database))
    everywhere = {
        fault
        for stage in STAGES.values()
        for base in ("sqlite", "postgres")
        for fault in possible(stage, base)
    }
    assert everywhere <= FAULTS.keys()
