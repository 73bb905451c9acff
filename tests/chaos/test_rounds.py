"""Searches that are disturbed end as if nothing had happened: a fixed round of each stage, judged by the checker.

`make chaos` plays a hundred that chance makes; what it found is in docs/explain/chaos.md.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import sandbox
from tests.chaos.faults import FAULTS, in_a_transaction, possible
from tests.chaos.plans import named
from tests.chaos.programs import faketime
from tests.chaos.stages import STAGES

CHECKOUT = Path(__file__).parents[2]
# stage: database, what happens in turn and for how many seconds, each to a study of its own, the kinds of these
SHORT = {
    "run": ("sqlite", ["kill worker 0.2", "step lead 0.2", "kill coordinator 0.2"], ["grid", "random"]),
    "serve": ("postgres", ["kill coordinator 0.2", "kill database 0.2", "silence data 1"], ["tpe"]),
    "ray": ("sqlite", ["kill worker 0.2", "kill head 0.2"], ["random"]),
    # Ray gives up a machine that is silent for 9 s.
    "cluster": ("sqlite", ["kill worker 0.2", "silence node1 11", "kill node 0.2"], ["random"]),
    "two": ("postgres", ["freeze writer 1", "kill supervisor 0.2"], ["halving"]),
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


def play(home, stage, database, blows, studies):
    """The end of the program that plays one round."""
    command = [*sandbox.TIED, sys.executable, "-m", "tests.chaos.rounds", "--round", "0", "--home", str(home)]
    command += ["--stages", stage, "--databases", database, "--strike", *blows, "--studies", *studies]
    command += ["--limit", str(LIMIT_S)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, marks=[pytest.mark.ray] if stage in WITH_RAY else []) for stage in SHORT],
)
def test_studies_that_are_disturbed_end_as_if_nothing_had_happened(home, stage):
    database, blows, studies = SHORT[stage]
    if database == "postgres" and (reason := sandbox.no_postgres()) is not None:
        pytest.skip(reason)

    program = play(
        home, stage, database, [b for b in blows if faketime() or not b.startswith("step")], studies
    )

    assert program.returncode == 0, program.stdout + program.stderr
    assert "round 0: ok" in program.stdout


def test_postgresql_that_is_away_has_nobody_in_the_middle_of_a_transaction():
    assert not in_a_transaction("postgresql://hpo@127.0.0.1:1/postgres")


def test_each_stage_has_a_short_round_with_faults_that_can_happen_there():
    assert SHORT.keys() == STAGES.keys()
    for stage, (database, blows, _) in SHORT.items():
        faults = {fault for blow in blows for fault in named(blow, study="").faults}
        assert faults <= {*possible(STAGES[stage], database), "step lead"}
    everywhere = {
        fault
        for stage in STAGES.values()
        for base in ("sqlite", "postgres")
        for fault in possible(stage, base)
    }
    assert everywhere <= FAULTS.keys()
