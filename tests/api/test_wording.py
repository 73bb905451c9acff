"""Values of a wrong kind: every part of an address and of a body says what it must be, in our words."""

import re

import pytest

WRONG_WORDS = ("", "x", "-1", "0", "1.5", "9" * 400, "9" * 5_000, "x" * 5_000, "\0")
WRONG_VALUES = (None, True, "", "x" * 5_000, -1, 1.5, 10**30, [], {}, ["x"] * 2_000, {"a": [1]}, [[{}]])


@pytest.fixture
def database_url(sqlite):
    """Of one database: nothing here depends on which."""
    return sqlite


def parameters(document):
    """Every address of an OpenAPI document with each parameter that it takes."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    yield method, path.removeprefix("/api/v1"), parameter["name"]


def bodies(document):
    """Every address that takes a body of ours in JSON, with the names of its keys."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            properties = content.get("schema", {}).get("properties", {})
            if properties and content["schema"]["title"] != "StudyFile":
                yield method, path.removeprefix("/api/v1"), list(properties)


def not_ours(answers):
    """The answers that speak of a wrong value in the words of pydantic."""
    return {
        place: answer.json()["detail"]
        for place, answer in answers.items()
        if answer.status_code == 422 and re.search(r"should|validat|\binput\b", answer.json()["detail"])
    }


def test_every_parameter_says_in_our_words_what_it_must_be(server):
    document = server.client.get("/openapi.json").json()
    answers = {}
    for method, path, name in parameters(document):
        for word in WRONG_WORDS:
            answers[method, path, name, word[:20]] = server.client.request(
                method, re.sub(r"\{[^}]*\}", "1", path), params={name: word}
            )

    assert sum(answer.status_code == 422 for answer in answers.values()) > 50
    assert not_ours(answers) == {}


def test_every_key_of_a_body_says_in_our_words_what_it_must_be(server):
    document = server.client.get("/openapi.json").json()
    answers = {}
    for method, path, keys in bodies(document):
        for key in keys:
            for value in WRONG_VALUES:
                answers[method, path, key, repr(value)[:20]] = server.client.request(
                    method, re.sub(r"\{[^}]*\}", "1", path), json={key: value}
                )

    assert sum(answer.status_code == 422 for answer in answers.values()) > 50
    assert not_ours(answers) == {}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/studies?limit=0", "must be >= 1, got 0"),
        ("/studies?limit=2000", "must be <= 1,000, got 2000"),
        ("/studies?limit=ten", "must be a whole number, got 'ten'"),
        (f"/studies?limit={'9' * 400}", f"must be <= 1,000, got {'9' * 40}…"),
        (f"/studies?owner={'x' * 5_000}", "must have at most 4,000 characters"),
        ("/studies/wine/trials/-1", "must be >= 0, got -1"),
        ("/studies/wine/trials/1/curve?points=1", "must be >= 4, got 1"),
        ("/studies/wine/export?format=xls", "must be 'csv', 'json' or 'parquet', got 'xls'"),
    ],
)
def test_a_part_of_an_address_is_told_what_it_must_be_and_what_it_is(server, path, words):
    answer = server.client.get(path)

    assert (answer.status_code, answer.json()["detail"]) == (422, words)


@pytest.mark.parametrize(
    ("path", "body", "place", "words"),
    [
        ("trials:ask", {"client_id": ""}, "client_id", "must not be empty"),
        ("trials:ask", {"client_id": "a" * 300}, "client_id", "must have at most 255 characters"),
        ("trials/1:tell", {"state": "DONE"}, "state", "must be 'COMPLETE', 'PRUNED' or 'FAIL', got 'DONE'"),
        ("trials:enqueue", {"settings": []}, "settings", "must not be empty"),
        (
            "trials:retry",
            {"numbers": [1] * 2_000},
            "numbers",
            "must have at most 1,000 entries, got 2,000",
        ),
        (
            "trials:enqueue",
            {"settings": [{"l2": [1]}]},
            "settings.0.l2",
            "must be true or false, a whole number, a number or text",
        ),
    ],
)
def test_a_value_of_a_body_is_told_where_it_stands_and_what_it_must_be(server, path, body, place, words):
    answer = server.client.post(f"/studies/wine/{path}", json=body)

    assert (answer.status_code, answer.json()["path"], answer.json()["detail"]) == (422, place, words)
