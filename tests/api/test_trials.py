"""The trials of a study over REST: pages, filters, curves, settings of one's own."""

import math
from array import array

import pytest

from hpo.api.schemas.trial import CurveRecord, Enqueued, TrialPage, TrialRecord
from hpo.cohort import CohortPlan
from hpo.service import specfile
from hpo.states import StudyState, TrialState
from hpo.testing.studies import driver
from hpo.trial import Curve, TrialPlan, TrialResult

VALUES = [0.5, 0.9, 0.7, 0.9, 0.1, 0.3, 0.8]


def numbers(server, **params):
    return [t["number"] for t in page(server, **params)["items"]]


def page(server, study="wine", **params):
    answer = server.client.get(f"/studies/{study}/trials", params=params)
    assert answer.status_code == 200, answer.text
    TrialPage.model_validate(answer.json())
    return answer.json()


@pytest.fixture
def wine(given):
    return given("wine", values=VALUES)


@pytest.mark.parametrize(
    "sort", ["number", "-number", "value", "-value", "params.hidden_units", "-finished_at"]
)
def test_pages_hold_every_trial_once_in_the_order_of_one_long_page(server, wine, sort):
    found, cursor = [], None
    while not found or cursor is not None:
        params = {"sort": sort, "limit": 2} | ({} if cursor is None else {"cursor": cursor})
        part = page(server, **params)
        found += [trial["number"] for trial in part["items"]]
        cursor = part["next_cursor"]

    assert found == numbers(server, sort=sort)
    assert sorted(found) == list(range(len(VALUES)))


def test_trials_are_filtered_and_sorted_by_what_they_are(server, wine):
    assert numbers(server, sort="-value") == [1, 3, 6, 2, 0, 5, 4]
    assert numbers(server, where="value >= 0.7 and number < 6") == [1, 2, 3]
    assert numbers(server, where="params.hidden_units in (17, 19, 400)") == [1, 3]
    assert numbers(server, where='params.optimizer = "sgd"') == []
    assert numbers(server, state="fail") == []
    assert numbers(server, state=["COMPLETE", "FAIL"], limit=2) == [0, 1]


def test_only_the_fields_that_were_asked_for_are_sent(server, wine):
    items = page(server, fields="number,params.hidden_units", limit=1)["items"]

    assert items == [{"number": 0, "params": {"hidden_units": 16}}]


@pytest.mark.parametrize(
    ("params", "status", "path"),
    [
        ({"sort": "valeu"}, 422, "sort"),
        ({"sort": "params.hiden_units"}, 422, "sort"),
        ({"state": "DONE"}, 422, "state"),
        ({"where": "value >"}, 422, "where"),
        ({"where": ""}, 422, "where"),
        ({"where": "value > x"}, 422, "where"),
        ({"where": "number = 99999999999999999999"}, 422, "where"),
        ({"where": "value > 1e400"}, 422, "where"),
        ({"where": "x" * 4_001}, 422, "where"),
        ({"where": "a\x00"}, 422, "where"),
        ({"where": "params.optimizer = 'sgd\ud800'".encode("utf-8", "surrogatepass")}, 422, "where"),
        ({"fields": "number,valeu"}, 422, "fields"),
        ({"limit": 1_001}, 422, "limit"),
        ({"limit": 10**30}, 422, "limit"),
        ({"cursor": "WyJzdHVkaWVzIiw3XQ"}, 400, "cursor"),
        ({"cursor": "not a cursor"}, 400, "cursor"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_problem_with_its_place(server, wine, params, status, path):
    answer = server.client.get("/studies/wine/trials", params=params)

    assert (answer.status_code, answer.json()["path"]) == (status, path)


def test_a_cursor_of_another_question_is_refused(server, wine):
    cursor = page(server, limit=2, sort="-value")["next_cursor"]

    answer = server.client.get("/studies/wine/trials", params={"cursor": cursor, "sort": "value"})

    assert (answer.status_code, answer.json()["path"]) == (400, "cursor")
    assert "another question" in answer.json()["detail"]


def test_one_trial_is_shown_with_what_repeats_it(server, wine):
    shown = server.client.get("/studies/wine/trials/3").json()

    TrialRecord.model_validate(shown)
    assert (shown["value"], shown["metric"], shown["repeat"][0][:16]) == (0.9, "accuracy", "hpo enqueue wine")


@pytest.mark.parametrize(
    ("number", "status"),
    [("7", 404), ("-1", 422), ("1.5", 422), ("x", 422), (str(2**70), 422), ("9" * 5000, 422)],
)
def test_a_trial_that_is_not_there_is_a_problem(server, wine, number, status):
    for rest in ("", "/curve"):
        assert server.client.get(f"/studies/wine/trials/{number}{rest}").status_code == status


def test_a_curve_keeps_its_peaks_and_dips_and_its_gaps(server, given):
    given("wine")
    n = 1_000
    losses = [1 / (1 + epoch) for epoch in range(n)]
    losses[417], losses[603] = 9.0, -3.0
    ends = [0.5] * 500 + [math.nan] * 500
    block = array("f", [value for pair in zip(losses, ends, strict=True) for value in pair])
    claim = server.storage.claim_study("wine", driver())
    space_of_none = {"learning_rate": 0.01, "hidden_units": 16, "optimizer": "adam"}
    space = specfile.from_json(server.storage.get_study("wine").spec).parameters
    [cohort] = server.storage.plan_trials(
        claim, space, [TrialPlan(number=0, params=space_of_none)], [CohortPlan(numbers=(0,))]
    )
    cohort = server.storage.start_cohort(claim, cohort.id)
    curve = Curve(columns=("train_loss", "validation_loss"), block=block)
    result = TrialResult(number=0, state=TrialState.COMPLETE, value=0.5, epochs=n, curve=curve)
    server.storage.finish_trials(claim, cohort.id, cohort.attempt, [result])

    found = server.client.get("/studies/wine/trials/0/curve", params={"points": 100}).json()

    CurveRecord.model_validate(found)
    loss, end = found["columns"]["train_loss"], found["columns"]["validation_loss"]
    assert found["epochs"] == n
    assert len(loss["epoch"]) <= 100
    assert {418, 604, 1, n} <= set(loss["epoch"])
    assert (max(loss["value"]), min(loss["value"])) == (9.0, -3.0)
    assert end["value"][-1] is None
    assert (
        len(server.client.get("/studies/wine/trials/0/curve", params={"points": 1_000}).json()["columns"])
        == 2
    )


def test_a_trial_without_a_curve_has_none(server, wine):
    found = server.client.get("/studies/wine/trials/0/curve").json()

    assert (found["epochs"], found["columns"]) == (0, {})


def test_settings_are_enqueued_and_the_study_is_a_coordinators(server, given):
    given("wine")

    answer = server.client.post(
        "/studies/wine/trials:enqueue", json={"settings": [{"hidden_units": 32}, {"optimizer": "sgd"}]}
    )

    Enqueued.model_validate(answer.json())
    study = server.storage.get_study("wine")
    assert (answer.status_code, answer.json()["n_trials"], study.n_trials, study.served) == (
        200,
        10,
        10,
        True,
    )
    assert [one.params for one in server.storage.queue("wine")] == [
        {"hidden_units": 32},
        {"optimizer": "sgd"},
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"settings": []}, "settings"),
        ({"settings": [{"hiden_units": 32}]}, "hiden_units"),
        ({"settings": [{"hidden_units": 32}, {"hidden_units": 10**4}]}, "settings[1].hidden_units"),
        ({"settings": [{"hidden_units": 10**30}]}, "settings.0.hidden_units"),
        ({"settings": [{"optimizer": "sgdd"}]}, "optimizer"),
        ({"settings": {"hidden_units": 32}}, "settings"),
        ({"settings": [{"hidden_units": [1]}]}, None),
        ({}, "settings"),
        ([1], None),
    ],
)
def test_settings_that_no_trial_could_have_are_refused_and_nothing_is_enqueued(server, given, body, path):
    given("wine")

    answer = server.client.post("/studies/wine/trials:enqueue", json=body)

    assert answer.status_code == 422, answer.text
    assert path in (None, answer.json()["path"])
    assert server.storage.queue("wine") == []
    assert server.storage.get_study("wine").n_trials == 8


def failed(server, given, reason="error"):
    """A study that ended with one failed trial."""
    given("wine", values=[0.5])
    storage = server.storage
    claim = storage.claim_study("wine", driver(), dead=driver())
    space = specfile.from_json(storage.get_study("wine").spec).parameters
    [cohort] = storage.plan_trials(
        claim, space, [TrialPlan(number=1, params={"hidden_units": 99})], [CohortPlan(numbers=(1,))]
    )
    cohort = storage.start_cohort(claim, cohort.id)
    result = TrialResult(number=1, state=TrialState.FAIL, reason=reason)
    storage.finish_trials(claim, cohort.id, cohort.attempt, [result], done=True)
    storage.release(claim, StudyState.COMPLETED)


@pytest.mark.parametrize("path", ["trials/1:retry", "trials:retry"])
def test_a_failed_trial_is_trained_once_more_once(server, given, path):
    failed(server, given)

    first, again = (server.client.post(f"/studies/wine/{path}", json={"numbers": [1]}) for _ in range(2))

    assert (first.status_code, first.json()["retry_of"], first.json()["state"]) == (200, [1], "QUEUED")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_move")
    assert server.storage.queue("wine")[0].params == {"hidden_units": 99}


def test_a_trial_that_did_not_fail_by_accident_is_not_retried(server, given):
    failed(server, given, reason="diverged@3")

    one, complete, none = (
        server.client.post(f"/studies/wine/trials{end}") for end in ("/1:retry", "/0:retry", "/9:retry")
    )
    all_ = server.client.post("/studies/wine/trials:retry")

    assert (one.status_code, complete.status_code, none.status_code) == (409, 409, 404)
    assert (all_.status_code, all_.json()["enqueued"]) == (200, [])
