"""What came out of a study over REST: best trials, importances, the front, exports."""

import csv
import io
import json
import math
import random

import pyarrow.parquet as pq
import pytest

from hpo.api.schemas.trial import Best, BestList, Front, Importances
from hpo.states import StudyState, TrialState
from hpo.testing.studies import complete, driver, trained
from hpo.trial import TrialPlan, TrialResult


def test_the_best_trial_is_one_record_and_the_best_are_a_list(server, given):
    given("wine", values=[0.5, 0.9, 0.7, 0.9])

    one = server.client.get("/studies/wine/best").json()
    top = server.client.get("/studies/wine/best", params={"top": 3}).json()

    Best.model_validate(one)
    BestList.model_validate(top)
    assert (one["number"], one["value"]) == (1, 0.9)
    assert [best["number"] for best in top["items"]] == [1, 3, 2]
    assert top["items"][1]["tied_with_best"] is True


def test_a_study_without_a_value_has_no_best_trial(server, given):
    given("wine")
    before = server.client.get("/studies/wine/best")
    server.storage.release(server.storage.claim_study("wine", driver()), StudyState.COMPLETED)
    after = server.client.get("/studies/wine/best")

    assert (before.status_code, before.json()["code"]) == (404, "trial_not_found")
    assert (after.status_code, after.json()["code"]) == (409, "study_failed")
    assert server.client.get("/studies/wine/best", params={"top": 0}).status_code == 422
    assert server.client.get("/studies/wine/pareto").json()["items"] == []


def test_the_parameter_that_decides_is_the_important_one(server, given):
    given("wine", trials=200)
    draw = random.Random(0)
    plans, results = [], []
    for number in range(200):
        rate = 10 ** draw.uniform(-4, -1)
        params = {"learning_rate": rate, "hidden_units": draw.randint(16, 256), "optimizer": "adam"}
        plans.append(TrialPlan(number=number, params=params))
        results.append(complete(number, 1 - (math.log10(rate) + 2.5) ** 2))
    trained(server.storage, "wine", plans, results)

    found = server.client.get("/studies/wine/importance").json()

    Importances.model_validate(found)
    by_name = {one["name"]: one for one in found["items"]}
    assert found["items"][0]["name"] == "learning_rate"
    assert by_name["learning_rate"]["importance"] > 0.8
    assert by_name["learning_rate"]["importance"] + by_name["hidden_units"]["importance"] == pytest.approx(1)
    assert by_name["optimizer"] == {
        "name": "optimizer",
        "importance": None,
        "reason": "has the same value in all of these trials",
    }


def test_few_trials_say_nothing_of_importance(server, given):
    given("wine", values=[0.5, 0.9])

    found = server.client.get("/studies/wine/importance")
    other = server.client.get("/studies/wine/importance", params={"metric": "loss"})

    assert {one["importance"] for one in found.json()["items"]} == {None}
    assert "at least 20 finished trials" in found.json()["items"][0]["reason"]
    assert (other.status_code, other.json()["path"]) == (422, "metric")


def test_the_front_of_several_objectives_is_what_no_trial_beats(server, given):
    given("wine", objective=[{"metric": "accuracy"}, {"metric": "n_parameters"}])
    plans = [TrialPlan(number=n, params={"hidden_units": 16 + n}) for n in range(3)]
    values = [(0.9, 100.0), (0.8, 200.0), (0.7, 50.0)]
    results = [TrialResult(number=n, state=TrialState.COMPLETE, values=pair) for n, pair in enumerate(values)]
    trained(server.storage, "wine", plans, results)

    front = server.client.get("/studies/wine/pareto").json()
    best = server.client.get("/studies/wine/best").json()

    Front.model_validate(front)
    Best.model_validate(best)
    assert [trial["number"] for trial in front["items"]] == [0, 2]
    assert [trial["number"] for trial in best["front"]] == [0, 2]
    assert (
        server.client.get("/studies/wine/trials", params={"sort": "-value"}).json()["items"][0]["number"] == 0
    )


@pytest.fixture
def tricky(server, given):
    """Trials with a choice that a spreadsheet would take for a formula, and a negative number."""
    choices = ["=1+1", "+1", "-1", "@x", "\tx", "relu"]
    given("wine", parameters={"activation": ["relu", "tanh"], "learning_rate": {"low": 1e-4, "high": 1e-1}})
    plans = [TrialPlan(number=n, params={"activation": "relu", "learning_rate": 0.01}) for n in range(6)]
    results = [complete(n, -0.5 if n else 0.5, reason=choices[n]) for n in range(6)]
    trained(server.storage, "wine", plans, results)
    return choices


def test_all_trials_come_as_a_file_of_each_kind(server, tricky):
    def export(kind):
        answer = server.client.get("/studies/wine/export", params={"format": kind})
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="wine.{kind}"'
        return answer

    rows = list(csv.DictReader(io.StringIO(export("csv").text)))
    records = export("json").json()
    table = pq.read_table(io.BytesIO(export("parquet").content)).to_pylist()

    assert [row["reason"] for row in rows] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "relu"]
    assert rows[1]["value"] == "-0.5"
    assert [record["reason"] for record in records] == tricky
    assert [row["value"] for row in table] == [record["value"] for record in records]


def test_an_export_of_another_kind_or_of_nothing_is_a_problem(server, given):
    given("wine")

    kind = server.client.get("/studies/wine/export", params={"format": "xlsx"})
    nobody = server.client.get("/studies/nobody/export")
    empty = server.client.get("/studies/wine/export", params={"format": "json"})

    assert (kind.status_code, kind.json()["path"]) == (422, "format")
    assert nobody.status_code == 404
    assert json.loads(empty.content) == []
