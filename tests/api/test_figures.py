"""Figures over REST: of any study, with a title and a picture or the reason why there is none."""

import json

import plotly.graph_objects as go
import pytest

from hpo.api.schemas.figure import FigureRecord
from hpo.figures.catalogue import FIGURES
from hpo.states import StudyState, TrialState
from hpo.testing.studies import driver, trained
from hpo.trial import TrialPlan, TrialResult

EVIL = "</script><script>alert(1)</script><b>%{x}</b>"


def shown(server, figure, **options):
    answer = server.client.get(f"/studies/wine/figures/{figure}", params=options)
    assert answer.status_code == 200, answer.text
    record = answer.json()
    FigureRecord.model_validate(record)
    return record


@pytest.mark.parametrize("figure", FIGURES)
def test_plotly_takes_every_figure_of_a_study_of_a_few_trials(server, given, figure):
    given("wine", values=[0.5, 0.9, 0.7])

    record = shown(server, figure)

    drawn = go.Figure({"data": record["data"], "layout": record["layout"]})
    assert drawn.layout.title.text == record["title"]
    assert bool(drawn.data) == (record["empty"] is None)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_an_empty_study_says_why_there_is_nothing_to_see(server, given, figure):
    given("wine")

    record = shown(server, figure)

    assert record["data"] == []
    assert record["empty"].endswith(".")
    assert record["layout"]["title"]["text"] == record["title"]


def test_a_study_whose_trials_all_failed_says_so(server, given):
    given("wine")
    plans = [TrialPlan(number=n, params={"learning_rate": 0.01}) for n in range(3)]
    failed = [TrialResult(number=n, state=TrialState.FAIL, reason="diverged@1") for n in range(3)]
    trained(server.storage, "wine", plans, failed)

    for figure in ("history", "parallel", "slice", "heatmap"):
        assert shown(server, figure)["empty"] == "All 3 trials failed, so none has a value."


def test_the_same_figure_is_not_sent_twice_and_another_one_is(server, given):
    given("wine", values=[0.5, 0.9])
    path = "/studies/wine/figures/history"
    first = server.client.get(path)
    tag = {"If-None-Match": first.headers["etag"]}

    again = server.client.get(path, headers=tag)
    dark = server.client.get(path, headers=tag, params={"theme": "dark"})

    assert (again.status_code, again.content) == (304, b"")
    assert dark.status_code == 200
    assert dark.json()["layout"]["template"] != first.json()["layout"]["template"]


def test_what_is_asked_for_stands_across_and_up(server, given):
    given("wine", values=[0.5, 0.9, 0.7])

    layout = shown(server, "heatmap", x="hidden_units", y="learning_rate")["layout"]

    assert layout["xaxis"]["title"]["text"] == "hidden_units [units]"
    assert layout["yaxis"]["title"]["text"] == "learning_rate"


@pytest.mark.parametrize(
    ("figure", "options", "path"),
    [
        ("heatmap", {"x": "nothing"}, "x"),
        ("history", {"x": "hidden_units"}, "x"),
        ("history", {"metric": "rmse"}, "metric"),
        ("history", {"theme": "pink"}, "theme"),
        ("surface", {"trial": -1}, "trial"),
        ("history", {"colour": "pink"}, "colour"),
    ],
)
def test_an_option_that_means_nothing_is_a_problem_with_its_place(server, given, figure, options, path):
    given("wine", values=[0.5])

    answer = server.client.get(f"/studies/wine/figures/{figure}", params=options)

    assert (answer.status_code, answer.json()["path"]) == (422, path)


def test_a_figure_that_there_is_not_names_those_there_are(server, given):
    given("wine")

    answer = server.client.get("/studies/wine/figures/pie")
    nobody = server.client.get("/studies/nobody/figures/history")

    assert (answer.status_code, answer.json()["code"]) == (404, "figure_not_found")
    assert all(name in answer.json()["detail"] for name in FIGURES)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "study_not_found")


def test_the_figures_of_several_objectives_are_of_the_one_asked_for(server, given):
    given("wine", objective=[{"metric": "accuracy"}, {"metric": "n_parameters"}])
    plans = [TrialPlan(number=n, params={"hidden_units": 16 + n}) for n in range(3)]
    values = [(0.9, 100.0), (0.8, 200.0), (0.7, 50.0)]
    results = [TrialResult(number=n, state=TrialState.COMPLETE, values=pair) for n, pair in enumerate(values)]
    trained(server.storage, "wine", plans, results)

    sides = shown(server, "pareto", x="n_parameters")["layout"]

    assert sides["xaxis"]["title"]["text"] == "n_parameters [weights], minimize"
    assert sides["yaxis"]["title"]["text"] == "accuracy, maximize"
    assert shown(server, "history", metric="n_parameters")["layout"]["yaxis"]["title"]["text"].startswith(
        "n_par"
    )


def test_choices_with_html_in_them_are_text(server):
    study = {
        "name": "wine",
        "trainer": "external",
        "objective": {"metric": "score", "direction": "maximize"},
        "trials": 24,
        "parameters": {"kind": [EVIL, "plain"], "size": {"low": 0.0, "high": 1.0}},
    }
    server.client.post("/studies", json=study).raise_for_status()
    asked = server.client.post("/studies/wine/trials:ask", json={"client_id": "me", "count": 24}).json()
    for trial in asked["trials"]:
        told = {"client_id": "me", "state": "COMPLETE", "value": trial["params"]["size"]}
        server.client.post(f"/studies/wine/trials/{trial['number']}:tell", json=told).raise_for_status()

    for figure in FIGURES:
        text = json.dumps(shown(server, figure))
        assert "<script" not in text
        assert "<b>" not in text
    assert "&lt;script&gt;" in json.dumps(shown(server, "slice"))


def test_who_has_the_report_of_a_study_at_rest_is_told_so(server, given):
    given("wine", values=[0.5, 0.9, 0.7])
    claim = server.storage.claim_study("wine", driver(), dead=driver())
    server.storage.release(claim, StudyState.COMPLETED)

    first = server.client.get("/studies/wine/report")
    again = server.client.get("/studies/wine/report", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_the_report_is_a_page_that_may_do_nothing_but_draw(server, given):
    given("wine", values=[0.5, 0.9, 0.7])

    answer = server.client.get("/studies/wine/report")
    nobody = server.client.get("/studies/nobody/report")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert answer.text.count('class="plot') >= 4
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.split(";")[1] in answer.text
    assert (nobody.status_code, nobody.json()["code"]) == (404, "study_not_found")
