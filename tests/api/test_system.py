"""What the server says of itself."""

from importlib.metadata import version


def test_the_version_names_what_results_depend_on(server):
    answer = server.client.get("/version")

    assert answer.status_code == 200
    assert answer.json()["torch"] == version("torch")


def test_what_is_not_there_is_a_problem_with_a_code(server):
    answer = server.client.get("/nothing")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"
