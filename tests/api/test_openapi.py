"""The OpenAPI document: complete, and true."""

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

from hpo.api.app import ROUTERS, make_app
from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage

ALWAYS = {"401", "403", "421", "422", "429", "503"}
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@pytest.fixture(scope="module")
def document():
    return make_app(Site(settings=read_settings({}), storage=open_storage("memory://"))).openapi()


def operations(document):
    return {
        (method.upper(), path.removeprefix("/api/v1")): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_is_in_the_document(document):
    routes = {(method, route.path) for route in ROUTES for method in route.methods}

    assert set(operations(document)) == routes


def test_every_route_says_what_it_is_and_every_problem_it_may_answer_with(document):
    for place, operation in operations(document).items():
        assert operation["summary"], place
        assert operation["description"], place
        assert set(operation["responses"]) >= ALWAYS, place
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (place, status)


def resolved(document, schema):
    """A schema with the components that it may refer to, as a validator takes it."""
    return {**schema, "components": document["components"]}


def examples_of(document, content):
    """The examples of a body: its own, its schema's, or those of each shape that it may have."""
    if "example" in content:
        return [content["example"]]
    schema = content["schema"]
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return [one for shape in schema["anyOf"] for one in examples_of(document, {"schema": shape})]
    return [schema["example"]] if "example" in schema else []


def bodies(document):
    """Every JSON body of the document with its place: what is taken, and what is answered when all is well."""
    for place, operation in operations(document).items():
        taken = operation.get("requestBody", {}).get("content", {})
        answered = [a.get("content", {}) for s, a in operation["responses"].items() if int(s) < 400]
        for contents in (taken, *answered):
            if "application/json" in contents:
                yield place, contents["application/json"]


def test_every_json_body_has_a_schema_and_an_example_of_it(document):
    for place, content in bodies(document):
        assert content["schema"], place
        examples = examples_of(document, content)
        assert examples or content["schema"].get("type") == "array", place
        for example in examples:
            Draft202012Validator(resolved(document, content["schema"])).validate(example)


def test_whatever_is_sent_to_has_a_body_or_needs_none(document):
    bodiless = {
        path
        for (method, path), op in operations(document).items()
        if method == "POST" and "requestBody" not in op
    }

    assert bodiless == {
        "/studies/{name}:pause",
        "/studies/{name}:stop",
        "/studies/{name}:cancel",
        "/studies/{name}/trials/{number}:retry",
        "/keys/{id}:revoke",
    }


def test_no_answer_is_a_shape_of_the_frameworks_own(document):
    assert "HTTPValidationError" not in str(document)


def test_the_ways_to_show_a_key_are_said_and_that_an_open_server_needs_none(document):
    schemes = document["components"]["securitySchemes"]

    assert (schemes["key"]["scheme"], schemes["session"]["name"]) == ("bearer", "hpo_session")
    assert document["security"] == [{"key": []}, {"session": []}, {}]
