"""Requests drawn from the OpenAPI document: no 5xx, no status, type or shape of an answer that is not in it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from hpo.account import Role

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 12  # of each address: about a minute in all
ENDLESS = ("/events",)


def asked(operation, examples, headers):
    """Ask a server what the document says of one address, with values drawn from it. Raises FailureGroup."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        parameters = case.path_parameters
        if parameters and "name" in parameters and len(str(parameters["name"])) % 2:
            parameters["name"] = "wine"  # half of the requests are of what is there
        case.call_and_validate(checks=CHECKS, headers=headers)

    ask()


def all_asked(url, *, examples=EXAMPLES, reading=None, headers=None):
    """What is wrong with the answers of a server, by address. reading, headers: for the document, for the rest."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", headers=reading or {})
    wrong = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith(ENDLESS):
            try:
                asked(operation, examples, headers)
            except FailureGroup as failures:
                wrong[operation.label] = [str(failure) for failure in failures.exceptions]
    return wrong


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_answer_is_in_the_document(server, request):
    request.getfixturevalue("given")("wine", values=[0.5, 0.9])

    assert all_asked(server.url) == {}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("role", [None, *Role])
def test_so_is_every_answer_of_a_server_that_asks_for_keys(keyed, request, role):
    request.getfixturevalue("given")("wine", values=[0.5, 0.9])
    by_role = {role: {"Authorization": f"Bearer {secret}"} for role, secret in keyed.secrets.items()}
    headers = by_role.get(role)

    assert all_asked(keyed.url, examples=EXAMPLES // 3, reading=by_role[Role.ADMIN], headers=headers) == {}
