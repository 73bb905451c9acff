"""hpo model takes a trained model home, hpo predict puts it to work; both say what is wrong in one sentence."""

import csv
import io
import json
import sys
import threading
import time

import numpy as np
import pytest

from hpo.api.site import Site
from hpo.data.prepare import prepare
from hpo.models import load_folder, to_bytes
from hpo.settings import read_settings
from hpo.states import StudyState
from hpo.storage.base_models import StoredModel
from hpo.storage.open import open_storage
from hpo.study import DataSpec, SplitSpec
from hpo.testing.serving import serving
from hpo.testing.studies import finished
from tests.models.conftest import csv_of, model_of, table


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "data.csv").write_text(csv_of(table()))
    spec = DataSpec(source="data.csv", target="y", split=SplitSpec(), categories=("code",))
    return model_of(prepare(spec, scalings=["standardize"], folder=folder, seed=0), "standardize")


@pytest.fixture
def wine(home, saved, tmp_path):
    """A finished study in the program's database whose best trial's model is kept; and rows.csv."""
    home.mkdir()
    storage = open_storage(f"sqlite:///{home / 'hpo.db'}")
    claim = finished(storage, [0.5, 0.9], data={"source": "iris", "sha256": "00"})
    storage.save_model(claim, StoredModel(number=1, value=0.9, data=to_bytes(saved.model)))
    storage.release(claim, StudyState.COMPLETED)
    (tmp_path / "rows.csv").write_text(csv_of(table(n=30, seed=2)))
    yield storage
    storage.close()


def test_a_model_is_a_folder_that_is_not_written_over_unasked(hpo, wine, tmp_path):
    code, out, _ = hpo("model", "wine")
    again, _, error = hpo("model", "wine")
    answered, _, _ = hpo("model", "wine", "--yes")

    assert (code, again, answered) == (0, 1, 0)
    assert "wine-7 holds the model of trial 1 of study wine (accuracy 0.9)" in " ".join(out.split())
    assert error == "error: the folder 'wine-7' is there already; --yes writes over it\n"
    assert load_folder(tmp_path / "wine-7").about["value"] == 0.9


def test_a_model_with_onnx_says_what_was_written_as_json(hpo, wine, tmp_path):
    code, out, _ = hpo("model", "wine", "--onnx", "-o", "best", "-f", "json")

    assert code == 0
    assert json.loads(out)["files"] == ["README.md", "model.json", "model.onnx", "model.safetensors"]
    assert "model.onnx" in (tmp_path / "best" / "README.md").read_text()


def test_without_the_package_one_sentence_says_what_to_install(hpo, wine, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr("hpo.service.model_files.find_spec", lambda name: None)

    code, _, error = hpo("model", "wine", "--onnx")

    assert (code, error) == (1, "error: ONNX files need a package; `pip install 'hpo[onnx]'` installs it\n")
    assert not (tmp_path / "wine-7").exists()


@pytest.mark.parametrize("kind", ["folder", "zip", "study"])
def test_a_folder_a_zip_and_a_study_predict_alike(hpo, wine, saved, tmp_path, kind):
    hpo("model", "wine", "-o", "best")
    (tmp_path / "best.zip").write_bytes(saved_zip(wine))
    where = {"folder": "best", "zip": "best.zip", "study": "wine"}[kind]

    code, out, error = hpo("predict", where, "rows.csv", "-f", "json")

    found = json.loads(out)
    assert (code, error, found["n_rows"]) == (0, "", 30)
    columns = table(n=30, seed=2)
    assert found["predictions"] == saved.predict(columns)
    assert found["scores"]["accuracy"] == np.mean(
        [p == y for p, y in zip(found["predictions"], columns["y"], strict=True)]
    )


def saved_zip(storage):
    from hpo.service import kept_models
    from hpo.service.model_files import zipped

    return zipped(kept_models.load(storage, "wine", None))


def test_predictions_are_a_table_a_csv_or_a_file(hpo, wine, saved, tmp_path):
    _, text, _ = hpo("predict", "wine", "rows.csv")
    _, as_csv, _ = hpo("predict", "wine", "rows.csv", "-f", "csv")
    code, scores, said = hpo("predict", "wine", "rows.csv", "-o", "out.csv")

    assert "and 10 rows more: -o FILE.csv has them all" in text
    assert "against the y of these rows" in text
    rows = list(csv.DictReader(io.StringIO(as_csv)))
    assert list(rows[0]) == ["prediction", "p_it's", "p_no", "p_yes"]
    assert [row["prediction"] for row in rows] == saved.predict(table(n=30, seed=2))
    assert (tmp_path / "out.csv").read_text() == as_csv
    assert (code, "accuracy" in scores, "out.csv holds 30 predictions" in said) == (0, True, True)


def test_columns_that_are_not_read_are_named(hpo, wine, tmp_path):
    (tmp_path / "more.csv").write_text(csv_of({**table(n=5), "id": range(5), "note": "abcde"}))

    _, _, said = hpo("predict", "wine", "more.csv")

    assert said == "not read: id, note\n"


def test_what_is_wrong_is_one_sentence_and_nothing_is_written(hpo, wine, tmp_path):
    (tmp_path / "short.csv").write_text("a,kind\n1,x\n")
    (tmp_path / "wrong.csv").write_text(csv_of({**table(n=2), "a": ["1", "red"]}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    (tmp_path / "rows.json").write_text("{}")
    before = sorted(path.name for path in tmp_path.iterdir())

    found = {
        words: hpo(*words.split())
        for words in (
            "predict wine short.csv", "predict wine wrong.csv", "predict wine zz.parquet", "predict gone rows.csv",
            "predict gone.zip rows.csv", "predict broken rows.csv", "predict wine rows.csv -o out.xlsx",
            "predict wine rows.json", "predict broken/ rows.csv --trial 1", "model gone", "model wine --trial 9",
            "model wine -o rows.csv", "model wine -o broken",
        )
    }  # fmt: skip

    assert {words: (code, error) for words, (code, _, error) in found.items()} == {
        "predict wine short.csv": (2, "error: the table lacks the columns 'b, big', 'day', 'code'\n"),
        "predict wine wrong.csv": (2, "error: column 'a' wants a number, but row 2 says 'red'\n"),
        "predict wine zz.parquet": (2, "error: zz.parquet is neither a built-in data set nor a file; looked for zz.parquet\n"),
        "predict gone rows.csv": (4, "error: no study is called 'gone'; `hpo ls` shows the names there are\n"),
        "predict gone.zip rows.csv": (2, "error: no model is called 'gone.zip'\n"),
        "predict broken rows.csv": (2, "error: the folder 'broken' has no model.safetensors; is it one that `hpo model` has written?\n"),
        "predict wine rows.csv -o out.xlsx": (2, "error: output: must end with .csv or .json, got 'out.xlsx'\n"),
        "predict wine rows.json": (2, 'error: rows.json must be a list of records, such as [{"a": 1, "b": "red"}]\n'),
        "predict broken/ rows.csv --trial 1": (2, "error: --trial: a folder holds one model; give a study to choose a trial\n"),
        "model gone": (4, "error: no study is called 'gone'; `hpo ls` shows the names there are\n"),
        "model wine --trial 9": (4, "error: study 'wine' has no trial 9\n"),
        "model wine -o rows.csv": (1, "error: 'rows.csv' is there already and is no folder; choose another name\n"),
        "model wine -o broken": (1, "error: the folder 'broken' is there already; --yes writes over it\n"),
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_trial_whose_model_was_not_kept_is_trained_again_to_the_same_value(hpo, tmp_path):
    hpo("run", "--data", "iris", "--trials", "4", "--epochs", "4", "--name", "i", "--workers", "1", "--quiet")
    _, out, _ = hpo("trials", "i", "-f", "json")
    _, best, _ = hpo("best", "i", "-f", "json")
    number = next(t["number"] for t in json.loads(out) if t["number"] != json.loads(best)["number"])

    code, out, said = hpo("model", "i", "--trial", str(number), "-f", "json")
    again, _, _ = hpo("model", "i", "--trial", str(number), "-o", "again")

    assert (code, again) == (0, 0)
    assert "was not kept; training it once more" in said
    assert json.loads(out)["test"] is None
    one, other = tmp_path / f"i-{number}", tmp_path / "again"
    for name in ("model.json", "model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    code, out, _ = hpo("predict", f"i-{number}", "iris", "-f", "json")
    assert (code, json.loads(out)["n_rows"]) == (0, 150)


def coordinator_of(storage, saved):
    """A thread that does what a server's coordinator does with one request."""

    def fulfil():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for request in storage.model_requests():
                model = StoredModel(number=request.number, value=0.5, data=to_bytes(saved.model))
                storage.fulfil_request(request.study, model)
                return
            threading.Event().wait(0.05)

    thread = threading.Thread(target=fulfil)
    thread.start()
    return thread


def test_a_servers_model_is_had_and_one_that_is_trained_again_is_waited_for(
    hpo, wine, saved, home, tmp_path, monkeypatch
):
    settings = read_settings({"HPO_HOME": str(home)})
    monkeypatch.setenv("HPO_HOME", str(tmp_path / "elsewhere"))
    with serving(Site(settings=settings, storage=wine)) as url:
        code, _, _ = hpo("model", "wine", "--server", url, "-o", "best")
        thread = coordinator_of(wine, saved)
        other, _, said = hpo("model", "wine", "--trial", "0", "--server", url, "-o", "other")
        thread.join()
        predicted, out, _ = hpo("predict", "wine", "rows.csv", "--server", url, "-f", "json")

    assert (code, other, predicted) == (0, 0, 0)
    assert "the server trains the trial once more" in said
    assert load_folder(tmp_path / "other").about["trial"] == 0
    assert json.loads(out)["predictions"] == saved.predict(table(n=30, seed=2))
