"""What verbs answer and do on this machine only, where processes can be seen and memory counted."""

import json
import os
import socket
from dataclasses import replace

from hpo.service import specfile
from hpo.service.processes import this_process
from hpo.states import StudyState
from tests.workers.ray_heads import head


def test_show_says_that_the_process_of_a_running_study_has_died(hpo, study):
    study(state=StudyState.RUNNING, driver=replace(this_process(), born=1.0))

    assert "has died; `hpo resume digits` goes on" in hpo("show", "digits")[1]


def test_watch_of_a_study_whose_process_died_does_not_wait_for_ever(hpo, study, monkeypatch):
    monkeypatch.setattr("hpo.client.following.LOOK_S", 0.0)
    study(state=StudyState.RUNNING, driver=replace(this_process(), born=1.0))

    code, _, err = hpo("watch", "digits")

    assert code == 1
    assert "hpo resume digits" in err


def test_validate_prints_a_study_file_that_parses_to_the_same_and_makes_no_database(hpo, home):
    code, out, _ = hpo("validate", "--data", "iris", "--trials", "7", "--set", "parameters.dropout=0.25")

    spec = specfile.parse(out.split("# would run")[0])
    assert code == 0
    assert (spec.trials, spec.data.source, spec.parameters.fixed["dropout"]) == (7, "iris", 0.25)
    assert "trials   7" in out.split("# would run")[1]
    assert not home.exists()


def test_validate_answers_programs_with_spec_and_plan(hpo):
    _, out, _ = hpo("validate", "--data", "iris", "--trials", "7", "--workers", "3", "-f", "json")

    answer = json.loads(out)
    assert answer["valid"] is True
    assert answer["spec"]["trials"] == 7
    assert (answer["plan"]["n_trials"], answer["plan"]["workers"]) == (7, 3)
    assert answer["plan"]["seconds"] > 0


def test_doctor_is_well_here_and_names_a_bad_database_and_an_open_cluster(hpo, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # no Ray of others that run here
    code, out, _ = hpo("doctor")

    assert code == 0, out
    assert {line.split()[0] for line in out.splitlines()} == {"ok"}

    monkeypatch.setenv("HPO_STORAGE", "mysql://nowhere")
    with head(tmp_path) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        code, out, _ = hpo("doctor", "-f", "json")
    found = {check["name"]: check for check in json.loads(out)}

    assert code == 1
    assert [found[name]["ok"] for name in ("database", "cluster", "token")] == [False, False, True]
    assert "sqlite:///" in found["database"]["found"]
    assert f"the Ray cluster at {address} is OPEN" in found["cluster"]["found"]


def test_resume_of_a_study_that_lives_elsewhere_names_the_process(hpo, study):
    study(state=StudyState.RUNNING)

    code, _, err = hpo("resume", "digits")

    assert code == 1
    assert f"process {os.getpid()} on {socket.gethostname()}" in err
