"""The verb submit: without a server the study and its data wait in the database, with one they are trained there."""

import json
from contextlib import closing

import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.coordinating import serving_coordinator
from hpo.testing.serving import serving
from hpo.testing.simulated_pool import SimulatedPool


@pytest.fixture
def study_file(tmp_path):
    (tmp_path / "small.csv").write_text(
        "a,b,y\n" + "".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}\n" for i in range(60))
    )
    path = tmp_path / "red.yaml"
    path.write_text(
        "{data: {source: small.csv, target: y}, trials: 3, epochs: 2, parameters: {l2: [0.1, 0.2]}}"
    )
    return path


def test_a_study_waits_and_its_file_is_kept_with_it(hpo, study_file, database):
    code, out, err = hpo("submit", str(study_file), "--trials", "4")
    study_file.with_name("small.csv").unlink()

    assert (code, out) == (0, "")
    assert "60 rows, 2 features, 2 classes" in err
    assert "study red: 4 random trials" in err
    assert "`hpo serve` starts one" in err
    with database() as storage:
        study = storage.get_study("red")
        assert (study.state, study.served) == (StudyState.QUEUED, True)
        assert storage.get_dataset(study.spec["data"]["source"]).name == "small.csv"


def test_submit_answers_programs_with_the_study(hpo, study_file):
    code, out, err = hpo("submit", str(study_file), "-f", "json")

    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(hpo("show", "red", "-f", "json")[1])


def test_a_study_that_no_coordinator_comes_for_is_not_watched_for_ever(hpo, monkeypatch):
    monkeypatch.setattr("hpo.client.following.LOOK_S", 0.0)

    code, _, err = hpo("submit", "--data", "iris", "--watch")

    assert code == 1
    assert "error: study 'iris' waits for a coordinator and there is none" in err


def test_what_is_wrong_is_one_sentence_and_nothing_is_stored(hpo, study_file):
    assert hpo("submit")[0] == 2
    assert "trials: must be >= 1, got 0" in hpo("submit", str(study_file), "--trials", "0")[2]
    assert "nowhere.csv" in hpo("submit", "--data", "nowhere.csv")[2]
    assert json.loads(hpo("ls", "-f", "json")[1]) == []


def test_a_server_trains_what_is_submitted_and_watched(hpo, study_file, tmp_path):
    url = f"sqlite:///{tmp_path / 'server.db'}"
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": url})
    with (
        closing(open_storage(url)) as storage,
        serving(Site(settings=settings, storage=storage)) as address,
        serving_coordinator(storage, SimulatedPool(n_slots=2)),
    ):
        code, out, err = hpo("submit", str(study_file), "--watch", "--server", f"{address}/api/v1/")
        again = hpo("submit", str(study_file), "--watch", "--server", address, "-f", "json")
        kept = storage.list_datasets()

    assert code == 0, err
    assert "60 rows, 2 features, 2 classes" in err
    assert "red: 3/3 trials" in err
    assert out.startswith("best accuracy of red on validation rows: ")
    assert (
        f"  hpo diagnose red --server {address}/api/v1/\n" in out
    )  # to be typed as it stands: nothing names the server else
    assert out.endswith(f"{address}/studies/red\n")
    assert (again[0], json.loads(again[1])["study"]) == (0, "red-2")
    assert [data.name for data in kept] == ["small.csv"]
