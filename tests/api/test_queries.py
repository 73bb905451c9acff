"""Queries: what an address does not know is said, not passed over."""

import re

import pytest
from fastapi.routing import APIRoute

from hpo.api.app import ROUTERS

ADDRESSES = [
    (method, re.sub(r"\{[^}]*\}", "1", route.path))
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


def test_no_address_passes_over_a_parameter_that_it_does_not_know(server):
    found = {
        (method, path): server.client.request(method, path, params={"nonsense": 1})
        for method, path in ADDRESSES
    }

    wrong = {
        place: answer.text
        for place, answer in found.items()
        if (answer.status_code, answer.json()["code"], answer.json()["path"])
        != (422, "invalid_request", "nonsense")
    }
    assert wrong == {}


def documented(server):
    """Every parameter of a query that the API document has, with its method, its address and its schema."""
    document = server.client.get("/openapi.json").json()
    return [
        (
            method,
            re.sub(r"\{[^}]*\}", "1", path.removeprefix("/api/v1")),
            parameter["name"],
            parameter["schema"],
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    ]


def test_every_parameter_of_the_document_is_known(server):
    asked = documented(server)

    answers = {
        (method, path, name): server.client.request(method, path, params={name: "?"}).text
        for method, path, name, _ in asked
    }

    assert len(asked) > 15
    assert [one for one, text in answers.items() if "no such parameter" in text] == []


def test_a_parameter_that_is_no_list_is_given_once(server):
    asked = documented(server)

    answers = {
        (method, path, name, schema.get("type") == "array"): server.client.request(
            method, path, params=[(name, "5"), (name, "7")]
        ).json()
        for method, path, name, schema in asked
    }

    told = {
        one for one, answer in answers.items() if answer.get("detail") == "is given 2 times; give it once"
    }
    assert {one for one in answers if not one[3]} == told
    assert {answers[one]["path"] for one in told} == {one[2] for one in told}
    assert {one[2] for one in answers if one[3]} == {"state", "label"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/studies?stat=running", "there is no such parameter; did you mean 'state'?"),
        ("/studies/wine/trials?wher=number", "there is no such parameter; did you mean 'where'?"),
        ("/studies/wine/events?from=3", "there is no such parameter; there are after"),
        ("/version?verbose", "there is no such parameter; this address takes none"),
    ],
)
def test_a_parameter_that_is_not_known_is_told_with_the_nearest_or_all_there_are(server, path, words):
    answer = server.client.get(path)

    assert (answer.status_code, answer.json()["detail"]) == (422, words)
