"""The OpenAPI document: complete, and true."""

import pytest
from fastapi.routing import APIRoute

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


def test_no_answer_is_a_shape_of_the_frameworks_own(document):
    assert "HTTPValidationError" not in str(document)
