"""Models over REST: taken home, asked for, predicting; wrong questions are 4xx."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from hpo.data.prepare import prepare
from hpo.models import load_folder, to_bytes
from hpo.states import StudyState
from hpo.storage.base import ScoredTest
from hpo.storage.base_models import MOST_ASKED, StoredModel
from hpo.study import DataSpec, SplitSpec
from hpo.testing.studies import finished
from tests.models.conftest import csv_of, model_of, table

ROWS = [
    {"a": 1.5, "b, big": -2000.0, "day": "03.05.2024", "kind": "k1", "code": 2},
    {"a": None, "b, big": 250.0, "day": None, "kind": "new", "code": None, "id": 7},
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "data.csv").write_text(csv_of(table()))
    spec = DataSpec(source="data.csv", target="y", split=SplitSpec(), categories=("code",))
    return model_of(prepare(spec, scalings=["standardize"], folder=folder, seed=0), "standardize")


@pytest.fixture
def study(server, saved):
    """A finished study of three trials whose best one's model is kept."""
    claim = finished(server.storage, [0.5, 0.9, 0.7], data={"source": "iris", "sha256": "00"})
    server.storage.save_model(claim, StoredModel(number=1, value=0.9, data=to_bytes(saved.model)))
    test = ScoredTest(number=1, scores={"accuracy": 0.8})
    server.storage.release(claim, StudyState.COMPLETED, test=test)
    return server.client


def test_the_best_model_is_a_zip_that_loads(study, saved, tmp_path):
    answer = study.get("/studies/wine/model")

    (tmp_path / "model.zip").write_bytes(answer.content)
    found = load_folder(tmp_path / "model.zip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="wine-7.zip"'
    assert found.predict(ROWS) == saved.predict(ROWS)
    assert (found.about["trial"], found.about["test"]) == (1, {"accuracy": 0.8, "scored": 1})
    assert study.get("/studies/wine/model?trial=1").content == answer.content
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"wine-7"}


def test_a_model_comes_as_onnx_and_as_one_file_too(study, saved):
    graph = study.get("/studies/wine/model", params={"format": "onnx"})
    one_file = study.get("/studies/wine/model", params={"format": "safetensors"})

    session = onnxruntime.InferenceSession(graph.content, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["prediction", "probabilities"]
    assert one_file.content == to_bytes(saved.model)


def test_records_and_csv_are_predicted(study, saved):
    by_json = study.post("/studies/wine/predict", json=ROWS)
    text = 'code,kind,day,a,"b, big",id,y\n2,k1,03.05.2024,1.5,-2000,1,yes\n,new,,,250,7,\n'
    by_csv = study.post(
        "/studies/wine/predict", content=text.encode(), headers={"content-type": "text/csv; charset=utf-8"}
    )

    found = by_json.json()
    assert (by_json.status_code, by_csv.status_code) == (200, 200)
    assert found["predictions"] == by_csv.json()["predictions"] == saved.predict(ROWS)
    np.testing.assert_allclose(found["probabilities"], saved.probabilities(ROWS), atol=1e-6)
    assert (found["ignored"], found["scores"], found["classes"]) == (["id"], None, ["it's", "no", "yes"])
    assert set(by_csv.json()["scores"]) == {"accuracy", "log_loss", "f1"}


def test_a_model_that_was_not_kept_is_asked_for_and_comes_when_it_is_there(server, study, saved):
    first = study.get("/studies/wine/model?trial=2")
    again = study.get("/studies/wine/model?trial=2")

    assert (first.status_code, again.status_code) == (202, 202)
    assert int(first.headers["retry-after"]) >= 1
    assert (first.json()["trial"], first.json()["state"]) == (2, "waiting")
    assert [(r.study, r.number) for r in server.storage.model_requests()] == [("wine", 2)]
    assert study.post("/studies/wine/predict?trial=2", json=ROWS).json()["code"] == "model_not_kept"
    server.storage.fulfil_request("wine", StoredModel(number=2, value=0.7, data=to_bytes(saved.model)))
    assert study.get("/studies/wine/model?trial=2").status_code == 200
    assert study.post("/studies/wine/predict?trial=2", json=ROWS).status_code == 200


def test_a_model_that_could_not_be_trained_again_is_a_409_with_the_reason(server, study):
    study.get("/studies/wine/model?trial=0")
    server.storage.refuse_request("wine", 0, "trial 0 of study 'wine' came out otherwise")

    answer = study.get("/studies/wine/model?trial=0")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_repeatable")
    assert answer.json()["detail"] == "trial 0 of study 'wine' came out otherwise"


def test_no_more_models_are_asked_for_than_are_kept(server):
    finished(server.storage, [0.5] * (MOST_ASKED + 2), data={"source": "iris"})

    statuses = [
        server.client.get(f"/studies/wine/model?trial={n}").status_code for n in range(MOST_ASKED + 2)
    ]
    refused = server.client.get(f"/studies/wine/model?trial={MOST_ASKED}")

    assert statuses == [202] * MOST_ASKED + [429] * 2
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "2")
    assert server.client.get("/studies/wine/model?trial=3").status_code == 202  # it waits already


def test_test_scores_of_other_trials_are_in_no_model(server, study, saved, tmp_path):
    server.storage.fulfil_request("wine", StoredModel(number=2, value=0.7, data=to_bytes(saved.model)))

    data = study.get("/studies/wine/model?trial=2").content

    (tmp_path / "model.zip").write_bytes(data)
    assert load_folder(tmp_path / "model.zip").about["test"] is None


def test_trials_without_a_result_and_studies_without_a_model_are_409(server, study):
    finished(server.storage, [float("nan"), 0.4], name="beer", data={"source": "home.csv"})
    finished(server.storage, [float("nan")], name="tea")

    codes = {
        place: (answer.status_code, answer.json()["code"])
        for place in (
            "beer/model?trial=0",
            "beer/model?trial=1",
            "tea/model",
            "gone/model",
            "wine/model?trial=99",
        )
        for answer in [study.get(f"/studies/{place}")]
    }

    assert codes == {
        "beer/model?trial=0": (409, "not_repeatable"),
        "beer/model?trial=1": (409, "not_repeatable"),  # its data is a file of another machine
        "tea/model": (409, "illegal_move"),
        "gone/model": (404, "study_not_found"),
        "wine/model?trial=99": (404, "trial_not_found"),
    }
    assert server.storage.model_requests() == []


def test_a_model_of_an_earlier_version_is_trained_again(server, saved):
    bare = replace(saved.model, preprocessing=())
    claim = finished(server.storage, [0.5], data={"source": "iris"})
    server.storage.save_model(claim, StoredModel(number=0, value=0.5, data=to_bytes(bare)))

    assert server.client.get("/studies/wine/model").status_code == 202
    server.storage.fulfil_request("wine", StoredModel(number=0, value=0.5, data=to_bytes(saved.model)))
    assert server.client.get("/studies/wine/model").status_code == 200


GARBAGE = {
    "no json": (b"{", "application/json", 400),
    "no list": (b'{"rows": []}', "application/json", 400),
    "deep": (b"[" * 300_000, "application/json", 400),
    "NaN": (b'[{"a": NaN}]', "application/json", 400),
    "infinity": (b'[{"a": -Infinity}]', "application/json", 400),
    "empty list": (b"[]", "application/json", 422),
    "empty": (b"", "text/csv", 422),
    "no rows": (b"a,kind\n", "text/csv", 422),
    "other columns": (b"x\n1\n", "text/csv", 422),
    "binary": (bytes(range(256)) * 10, "text/csv", 422),
    "a zip": (b"PK\x03\x04" + bytes(100), "text/csv", 422),
    "gzip": (b"\x1f\x8b" + bytes(100), "text/csv", 422),
    "wide": (b",".join(b"c%d" % i for i in range(20_000)) + b"\n", "text/csv", 422),
    "yaml": (b"- a: 1\n", "application/yaml", 415),
    "text": (b"[]", "text/plain", 415),
    "no type": (b"[]", "", 415),
    "too many rows": (b"[" + b"{}," * 10_000 + b"{}]", "application/json", 413),
    "too many lines": (b"a\n" * 10_002, "text/csv", 413),
    "a label of 1 MB": (json.dumps([ROWS[0] | {"kind": "x" * 1_000_000}]).encode(), "application/json", 200),
    "emoji": ('[{"a": "\N{GRINNING FACE}"}]'.encode(), "application/json", 422),
    "a long number": (b'[{"a": ' + b"9" * 6000 + b"}]", "application/json", 400),
    "surrogates": (b'[{"\\udfff": 1, "a": 1}]', "application/json", 400),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_problem_of_the_client_in_one_sentence(study, kind):
    body, media_type, status = GARBAGE[kind]

    answer = study.post("/studies/wine/predict", content=body, headers={"content-type": media_type})

    assert answer.status_code == status, answer.text[:500]
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert 0 < len(answer.json()["detail"]) < 1_000


@pytest.mark.parametrize(
    "query", ["trial=-1", "trial=x", "trial=99999999999999999999", "trial=", "format=pickle"]
)
def test_a_query_that_is_none_is_a_422(study, query):
    assert study.get(f"/studies/wine/model?{query}").status_code == 422


def test_the_weights_are_read_from_the_database_once(server, study, monkeypatch):
    reads = []
    model = type(server.storage).model
    monkeypatch.setattr(
        type(server.storage), "model", lambda self, *given: reads.append(given) or model(self, *given)
    )

    for _ in range(3):
        study.post("/studies/wine/predict", json=ROWS)

    assert reads == [("wine", 1)]


def test_a_viewer_reads_and_predicts_and_a_submitter_has_a_model_trained(keyed, saved):
    claim = finished(keyed.storage, [0.5, 0.9], data={"source": "iris"}, owner="submitter")
    keyed.storage.save_model(claim, StoredModel(number=1, value=0.9, data=to_bytes(saved.model)))

    viewer = keyed.ask("GET", "/api/v1/studies/wine/model?trial=0", "viewer")
    predicted = keyed.ask("POST", "/api/v1/studies/wine/predict", "viewer", json=ROWS)

    assert (viewer.status_code, viewer.json()["code"]) == (403, "not_allowed")
    assert predicted.status_code == 200
    assert keyed.ask("GET", "/api/v1/studies/wine/model", "viewer").status_code == 200
    assert keyed.ask("GET", "/api/v1/studies/wine/model?trial=0", "submitter").status_code == 202
    assert (
        keyed.ask("GET", "/api/v1/studies/wine/model?trial=0", "viewer").status_code == 202
    )  # it is under way
