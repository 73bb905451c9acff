"""`Client` and what it hands out: the same in a notebook with a server and without one."""

import json

import pandas
import pytest

from hpo.api.site import Site
from hpo.client.client import Client
from hpo.errors import HpoError, IllegalMove, SpecError, StudyNotFound, StudyOwned, TrialNotFound
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

FILE = {"data": "iris", "trials": 4, "epochs": 2, "parameters": {"learning_rate": [0.1, 0.01]}}


@pytest.fixture(params=["here", "server"])
def client(request, tmp_path, sqlite, monkeypatch):
    """A client of the local database, or of a server over it."""
    monkeypatch.setenv("HPO_HOME", str(tmp_path))
    monkeypatch.delenv("HPO_SERVER", raising=False)
    monkeypatch.setattr("hpo.client.following.LOOK_S", 0.0)
    if request.param == "here":
        with Client() as found:
            yield found
        return
    storage = open_storage(sqlite)
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    with serving(Site(settings=settings, storage=storage)) as address, Client(address) as found:
        yield found
    storage.close()


def test_a_study_is_submitted_as_mapping_text_or_file(client, tmp_path):
    path = tmp_path / "wine.json"
    path.write_text(json.dumps(FILE))

    studies = [
        client.submit(FILE, name="mapping"),
        client.submit("data: iris\ntrials: 4\nparameters: {learning_rate: [0.1, 0.01]}\n", name="text"),
        client.submit(path),
        client.submit(str(path), changes={"trials": 5, "sampler.seed": 3}),
    ]

    assert [study.name for study in studies] == ["mapping", "text", "wine", "wine-2"]
    assert studies[3].status()["n_trials"] == 5
    assert studies[3].status()["spec"]["sampler"]["seed"] == 3
    assert {study["name"] for study in client.studies()} == {study.name for study in studies}
    assert client.study("wine").state == "QUEUED"


def test_a_handle_says_in_one_line_what_the_study_is(client):
    assert repr(client.submit(FILE, name="one")) == "<study 'one': QUEUED, 0 of 4 trials>"


def test_a_study_moves_and_the_handle_comes_back(client):
    study = client.submit(FILE, name="one")

    assert study.pause().state == "PAUSED"
    assert study.resume(trials=6).status()["n_trials"] == 6
    assert study.amend(priority=3).status()["priority"] == 3
    assert study.fork("two", changes={"seed": 5}).status()["spec"]["seed"] == 5
    assert study.cancel().state == "CANCELLED"
    with pytest.raises(IllegalMove, match="CANCELLED for good"):
        study.pause()
    study.remove()
    with pytest.raises(StudyNotFound):
        study.status()


def test_waiting_for_a_study_that_rests_is_over_at_once(client, capsys):
    study = client.submit(FILE, name="one").pause()
    seen = []

    assert study.wait(progress=seen.append) is study

    assert [moment.state for moment in seen] == ["PAUSED"]
    study.wait()
    assert "one: PAUSED, 0 of 4 trials" in capsys.readouterr().err
    study.wait(progress=False)
    assert capsys.readouterr().err == ""


def test_waiting_ends_with_the_time_allowed(client):
    study = client.submit(FILE, name="one")

    with pytest.raises(TimeoutError, match="study 'one' is still QUEUED after 0 s"):
        study.wait(timeout=0.0, progress=False)


def test_waiting_for_what_nobody_runs_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("hpo.client.following.LOOK_S", 0.0)
    with Client(storage=f"sqlite:///{tmp_path / 'own.db'}") as client:
        study = client.submit(FILE, name="one")

        with pytest.raises(StudyOwned, match="`hpo serve` starts one"):
            study.wait(progress=False)


def test_a_study_without_trials_has_no_best_and_empty_lists(client):
    study = client.submit(FILE, name="one")

    assert study.trials() == []
    assert len(study.trials_frame()) == 0
    with pytest.raises(TrialNotFound):
        _ = study.best


def test_a_table_is_uploaded_from_a_file_or_a_frame(client, tmp_path):
    table = pandas.DataFrame({"a": range(60), "b": [i % 7 for i in range(60)], "y": ["yes", "no"] * 30})
    table.to_csv(tmp_path / "small.csv", index=False)

    frame, again, file = (
        client.upload(table, name="frame"),
        client.upload(table),
        client.upload(tmp_path / "small.csv"),
    )

    assert frame == again != file
    study = client.submit({**FILE, "data": {"source": frame, "target": "y"}}, name="one")
    assert study.status()["data"]["n_rows"] == 60


def test_a_server_and_a_database_are_one_too_many():
    with pytest.raises(SpecError, match="beside a server"):
        Client("http://localhost:1", storage="memory://")


def test_what_is_wrong_is_a_sentence_with_its_place(client, tmp_path):
    with pytest.raises(SpecError, match="epoch: there is no such key; did you mean 'epochs'"):
        client.submit({**FILE, "epoch": 3})
    with pytest.raises(SpecError, match="no study file is called"):
        client.submit(tmp_path / "nowhere.yaml")
    with pytest.raises(SpecError, match="line 3, column 1"):
        client.submit("data: iris\ntrials: [1\n")
    with pytest.raises(HpoError, match="name: "):
        client.submit(FILE, name="größer/als")
    assert client.studies() == []


def test_validate_completes_and_stores_nothing(client):
    record = client.validate(FILE, changes={"epochs": 9})

    assert (record["valid"], record["spec"]["epochs"], record["plan"]["n_trials"]) == (True, 9, 4)
    assert client.studies() == []
