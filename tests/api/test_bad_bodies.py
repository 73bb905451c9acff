"""Bodies that are wrong: each is one clear problem of the client's, and nothing is stored."""

import json
import socket

import pytest

JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
GOOD = {"data": {"source": "iris"}, "parameters": {"learning_rate": 0.1}}


@pytest.fixture
def database_url(sqlite):
    """Of one database: nothing here depends on which."""
    return sqlite


def good(**keys):
    return json.dumps(GOOD | keys)


BODIES = {
    "nothing": (b"", JSON, 422),
    "null": (b"null", JSON, 422),
    "a list": (b"[]", JSON, 422),
    "a text": (b'"digits"', JSON, 422),
    "a number": (b"3", JSON, 422),
    "true": (b"true", JSON, 422),
    "half": (b'{"data": "iris"', JSON, 422),
    "twice": (b'{"data": "iris", "data": "wine", "parameters": {}}', JSON, 422),
    "NaN": (b'{"data": "iris", "parameters": {"learning_rate": NaN}}', JSON, 422),
    "Infinity": (b'{"data": "iris", "parameters": {"learning_rate": -Infinity}}', JSON, 422),
    "1e400": (good(trials="x").replace('"x"', "1e400").encode(), JSON, 422),
    "10**30": (good(trials=10**30).encode(), JSON, 422),
    "10**5000": (b'{"trials": 1' + b"0" * 5_000 + b"}", JSON, 422),
    "a priority of 2**40": (good(priority=2**40).encode(), JSON, 422),
    "a seed of 2**63": (good(seed=2**63).encode(), JSON, 422),
    "not UTF-8": (b'{"name": "\xff\xfe"}', JSON, 422),
    "NUL": (good(name="a\0b").encode(), JSON, 422),
    "NUL in a label": (good(labels={"a": "\0"}).encode(), JSON, 422),
    "half a pair": (b'{"description": "\\ud800"}', JSON, 422),
    "a name with a slash": (good(name="a/b").encode(), JSON, 422),
    "a name of dots": (good(name="..").encode(), JSON, 422),
    "a name of emoji": (good(name="🙂").encode(), JSON, 422),
    "a name of SQL": (good(name="x'; DROP TABLE hpo_studies; --").encode(), JSON, 422),
    "an unknown key": (good(trails=3).encode(), JSON, 422),
    "deep": (b"[" * 100_000, JSON, 422),
    "deep mappings": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, JSON, 422),
    "a long label": (good(labels={"a": "x" * 900_000}).encode(), JSON, 422),
    "10 MB": (b"[" + b"[1]," * 2_500_000 + b"1]", JSON, 413),
    "a form": (b"data=iris", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "plain text": (good().encode(), {"Content-Type": "text/plain"}, 415),
    "XML": (b"<study/>", {"Content-Type": "application/xml"}, 415),
    "of no type": (good().encode(), {}, 415),
    "YAML with an anchor": (b"data: &a iris\nparameters: *a\n", YAML, 422),
    "YAML with a tag": (b"data: !!python/object:os.system x\n", YAML, 422),
    "YAML of .inf": (b"data: iris\nparameters: {learning_rate: .inf}\n", YAML, 422),
    "YAML of two documents": (b"data: iris\n---\ndata: wine\n", YAML, 422),
}


@pytest.mark.parametrize("path", ["/studies", "/studies:validate"])
def test_a_study_file_that_is_wrong_is_a_problem_and_nothing_is_stored(server, path):
    wrong = {}
    for name, (body, headers, status) in BODIES.items():
        answer = server.client.post(path, content=body, headers=headers)
        found = (answer.status_code, answer.headers["content-type"])
        if found != (status, "application/problem+json") or len(answer.json()["detail"]) > 400:
            wrong[name] = (*found, answer.text[:500])

    assert wrong == {}
    assert server.storage.list_studies() == []


@pytest.mark.parametrize("path", ["/studies/wine", "/studies/wine/trials:enqueue", "/studies/wine:fork"])
def test_a_body_that_is_wrong_is_a_problem_and_changes_nothing(server, given, path):
    before = given("wine")
    method = "PATCH" if path == "/studies/wine" else "POST"
    wrong = {}
    for name, (body, headers, status) in BODIES.items():
        if headers == YAML or not body:
            continue
        answer = server.client.request(method, path, content=body, headers=headers)
        if answer.status_code != status or answer.headers["content-type"] != "application/problem+json":
            wrong[name] = (answer.status_code, answer.text[:500])

    assert wrong == {}
    assert server.storage.list_studies() == [before]
    assert server.storage.queue("wine") == []


def test_a_body_that_is_cut_off_stores_nothing_and_the_server_goes_on(server):
    host, port = server.url.removeprefix("http://").split(":")
    body = good(name="cut").encode()
    head = (
        f"POST /api/v1/studies HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body[:-10])

    assert server.client.get("/studies").json()["items"] == []


def test_a_good_body_is_taken_after_all_of_these(server):
    answer = server.client.post("/studies", content=good(name="good"), headers=JSON)

    assert answer.status_code == 201, answer.text
