"""Studies over REST: listed and shown."""

from hpo.api.schemas.study import StudyRecord


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
        "%ED%A0%80",
    ]

    answers = [server.client.get(f"/studies/{name}") for name in names]

    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json()["code"] == "study_not_found"
    assert answers[0].headers["content-type"] == "application/problem+json"
