"""Studies over REST: submitted, listed, shown, changed, removed."""

import json

import pytest

from hpo.api.schemas.plan import Validated
from hpo.api.schemas.study import StudyPage, StudyRecord
from hpo.states import StudyState
from hpo.testing.studies import driver

STUDY = {
    "data": {"source": "iris"},
    "trials": 8,
    "epochs": 5,
    "parameters": {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}},
}


def post(server, path, body, **headers):
    return server.client.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json", **headers}
    )


def n_studies(server):
    return len(server.storage.list_studies())


def test_a_submitted_study_is_there_for_a_coordinator(server):
    answer = post(server, "/studies", STUDY | {"name": "first"})

    made = server.storage.get_study("first")
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/studies/first")
    assert (made.state, made.served, made.owner, made.folder) == (StudyState.QUEUED, True, None, "")
    assert server.client.get("/studies/first").json() == answer.json()
    StudyRecord.model_validate(answer.json())


def test_a_study_file_may_be_yaml_and_have_no_name(server):
    text = "data: iris\ntrials: 4\nparameters: mlp-default\n"
    headers = {"Content-Type": "application/yaml; charset=utf-8"}

    answers = [server.client.post("/studies", content=text, headers=headers) for _ in range(2)]

    assert [answer.json()["name"] for answer in answers] == ["iris", "iris-2"]


def test_a_server_reads_no_files_of_its_own(server, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" + "1,0\n2,1\n" * 20)
    sources = [
        str(table),
        "table.csv",
        "/etc/passwd",
        f"ds_../{table}",
        "~/x.csv",
        "ds_0123456789abcdeg",
        "\u2028",
    ]

    answers = [post(server, "/studies", STUDY | {"data": {"source": source}}) for source in sources]

    assert {(a.status_code, a.json()["path"]) for a in answers} == {(422, "data.source")}
    assert "a server reads no files" in answers[0].json()["detail"]
    assert n_studies(server) == 0


def test_a_study_may_name_uploaded_data_while_it_is_there(server):
    table = "width,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60))
    kept = server.storage.add_dataset("table.csv", [table.encode()], {})
    body = STUDY | {"data": {"source": kept.id, "target": "kind"}}

    before = post(server, "/studies", body | {"name": "before"})
    server.storage.move_study("before", StudyState.CANCELLED)
    server.storage.delete_dataset(kept.id)
    after = post(server, "/studies", body | {"name": "after"})

    assert (before.status_code, before.json()["data"]["target"]) == (201, "kind")
    assert (after.status_code, after.json()["code"]) == (404, "dataset_not_found")
    assert n_studies(server) == 1


def test_the_same_request_again_is_the_same_study_and_another_one_is_refused(server):
    first, again, other = (
        post(server, "/studies", STUDY | more, **{"Idempotency-Key": "k-1"})
        for more in ({}, {}, {"trials": 9})
    )

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["name"] == again.json()["name"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert n_studies(server) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "gr\xf6\xdfer"])
def test_an_idempotency_key_that_is_none_is_refused(server, key):
    answer = post(server, "/studies", STUDY, **{"Idempotency-Key": key.encode("latin-1")})

    assert (answer.status_code, answer.json()["path"]) == (400, "Idempotency-Key")
    assert n_studies(server) == 0


def test_a_name_that_is_taken_is_a_conflict(server):
    answers = [post(server, "/studies", STUDY | {"name": "first"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["code"] == "study_exists"


def test_a_study_is_validated_and_not_stored(server):
    answer = post(server, "/studies:validate", STUDY)

    found = answer.json()
    assert answer.status_code == 200
    assert (found["valid"], found["plan"]["n_trials"], found["spec"]["objective"]["metric"]) == (
        True,
        8,
        "accuracy",
    )
    Validated.model_validate(found)
    assert n_studies(server) == 0


def test_studies_are_listed_the_newest_first_a_page_at_a_time(server, given):
    for number in range(5):
        given(f"s{number}", labels={"parity": str(number % 2)})

    pages, cursor = [], None
    while not pages or cursor:
        found = server.client.get(
            "/studies", params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2}
        )
        StudyPage.model_validate(found.json())
        pages.append([study["name"] for study in found.json()["items"]])
        cursor = found.json()["next_cursor"]
    odd = server.client.get("/studies", params={"label": "parity=1"}).json()["items"]

    assert pages == [["s4", "s3"], ["s2", "s1"], ["s0"]]
    assert [study["name"] for study in odd] == ["s3", "s1"]


def test_studies_are_filtered_by_state_and_owner(server, given):
    given("waits")
    given("runs", values=[0.5])

    def names(**params):
        return [study["name"] for study in server.client.get("/studies", params=params).json()["items"]]

    assert names(state="running") == ["runs"]
    assert names(state=["RUNNING", "QUEUED"]) == ["runs", "waits"]
    assert names(owner="ada") == []


@pytest.mark.parametrize(
    ("params", "status", "path"),
    [
        ({"state": "RUNING"}, 422, "state"),
        ({"label": "course"}, 422, "label"),
        ({"limit": 0}, 422, "limit"),
        ({"limit": 10**30}, 422, "limit"),
        ({"limit": "many"}, 422, "limit"),
        ({"cursor": "x"}, 400, "cursor"),
        ({"cursor": "W10"}, 400, "cursor"),
        ({"cursor": "WyJ0cmlhbHMiLDdd"}, 400, "cursor"),  # ["trials",7]
        ({"cursor": "WyJzdHVkaWVzIiwxZTMwXQ"}, 400, "cursor"),  # ["studies",1e30]
        ({"cursor": "WyJzdHVkaWVzIiw5OTk5OTk5OTk5OTld"}, 400, "cursor"),  # ["studies",999999999999]
        ({"cursor": "🙂" * 10}, 400, "cursor"),
        ({"cursor": "A" * 5000}, 400, "cursor"),
        ({"owner": "a\x00b"}, 422, "owner"),
        ({"label": "a=\x00"}, 422, "label.0"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_problem_with_its_place(server, params, status, path):
    answer = server.client.get("/studies", params=params)

    assert (answer.status_code, answer.json()["path"]) == (status, path)


def test_a_study_is_shown_with_its_counts_its_best_value_and_its_file(server, given):
    given("wine", values=[0.5, 0.9, 0.7])

    answer = server.client.get("/studies/wine")

    shown = answer.json()
    assert answer.status_code == 200
    assert (shown["state"], shown["states"], shown["n_trials"]) == ("RUNNING", {"COMPLETE": 3}, 8)
    assert (shown["value"], shown["best_number"]) == (0.9, 1)
    assert shown["spec"]["data"]["source"] == "iris"
    StudyRecord.model_validate(shown)


def test_a_study_that_is_not_there_is_a_problem_whatever_it_is_called(server):
    names = [
        "nothing",
        "a%00b",
        "%F0%9F%98%80",
        "x'; DROP TABLE hpo_studies; --",
        "a" * 5000,
        "a%2Fb",
        "%ED%A0%80",
    ]

    answers = [server.client.get(f"/studies/{name}") for name in names]

    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json()["code"] == "study_not_found"
    assert answers[0].headers["content-type"] == "application/problem+json"


def test_what_may_change_while_a_study_lives_is_changed_and_the_rest_stays(server, given):
    given("wine", labels={"course": "a", "week": "1"}, limits={"parallel": 4})

    answer = server.client.patch(
        "/studies/wine",
        json={
            "trials": 20,
            "priority": 3,
            "limits": {"max_failed": 2, "parallel": None},
            "labels": {"week": None},
        },
    )

    found = answer.json()
    assert (answer.status_code, found["n_trials"], found["priority"]) == (200, 20, 3)
    assert (found["labels"], found["spec"]["limits"]) == ({"course": "a"}, {"max_failed": 2, "retries": 2})
    assert found["spec"]["trials"] == 8  # rounds of a sampler hang on it


@pytest.mark.parametrize(
    ("changes", "status", "path"),
    [
        ({"trials": 7}, 409, "trials"),
        ({"trials": 10**30}, 422, "trials"),
        ({"trials": 2.5}, 422, "trials"),
        ({"trials": True}, 422, "trials"),
        ({"priority": 10**30}, 422, "priority"),
        ({"limits": {"paralel": 4}}, 422, "limits.paralel"),
        ({"limits": {"parallel": -1}}, 422, "limits.parallel"),
        ({"limits": 4}, 422, "limits"),
        ({"labels": {"a": 4}}, 422, "labels.a"),
        ({"name": "other"}, 422, "name"),
        ([], 422, None),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_nothing_changes(server, given, changes, status, path):
    before = given("wine")

    answer = server.client.patch("/studies/wine", json=changes)

    assert (answer.status_code, answer.json()["path"]) == (status, path)
    assert server.storage.get_study("wine") == before


def test_a_change_to_what_somebody_else_has_changed_is_refused(server, given):
    given("wine")
    read = server.client.get("/studies/wine").headers["etag"]

    first, second, third, any_ = (
        server.client.patch("/studies/wine", json={"priority": number}, headers={"If-Match": tag})
        for number, tag in enumerate([read, read, '"nonsense"', "*"], 1)
    )

    assert (first.status_code, second.status_code, third.status_code, any_.status_code) == (
        200,
        412,
        412,
        200,
    )
    assert second.json()["code"] == "changed"
    assert server.storage.get_study("wine").priority == 4


def test_trials_that_finish_meanwhile_do_not_stand_in_the_way_of_a_change(server, given):
    given("wine", values=[0.5])
    tag = server.client.get("/studies/wine").headers["etag"]
    server.storage.want("wine", "pause")

    now = server.client.get("/studies/wine").headers["etag"]
    answer = server.client.patch("/studies/wine", json={"priority": 1}, headers={"If-Match": tag})

    assert tag != now
    assert answer.status_code == 200


def test_who_has_the_answer_already_is_told_so(server, given):
    given("wine")
    for path in ("/studies/wine", "/studies", "/version"):
        first = server.client.get(path)

        again = server.client.get(path, headers={"If-None-Match": f'"x", {first.headers["etag"]}'})
        other = server.client.get(path, headers={"If-None-Match": '"x"'})

        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert other.content == first.content


def test_more_trials_wake_a_study_that_has_ended_and_a_coordinator_goes_on(server, given):
    given("wine", values=[0.5] * 8)
    claim = server.storage.claim_study("wine", driver(), dead=driver())
    server.storage.release(claim, StudyState.COMPLETED)

    same = server.client.patch("/studies/wine", json={"trials": 8})
    more = server.client.patch("/studies/wine", json={"trials": 12})

    assert (same.json()["state"], more.json()["state"], more.json()["served"]) == (
        "COMPLETED",
        "QUEUED",
        True,
    )


def test_a_study_is_removed_unless_somebody_drives_it(server, given):
    given("waits")
    given("runs", values=[0.5])

    gone, driven, again = (server.client.delete(f"/studies/{name}") for name in ("waits", "runs", "waits"))

    assert (gone.status_code, gone.content) == (204, b"")
    assert (driven.status_code, driven.json()["code"]) == (409, "study_owned")
    assert again.status_code == 404
