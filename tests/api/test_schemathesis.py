"""Requests drawn from the OpenAPI document: no 5xx, no status, type or shape of an answer that is not in it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 12  # of each address: about a minute in all
ENDLESS = ("/events",)


def asked(operation):
    """Ask a server what the document says of one address, with values drawn from it. Raises FailureGroup."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
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
        case.call_and_validate(checks=CHECKS)

    ask()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_answer_is_in_the_document(server, request):
    request.getfixturevalue("given")("wine", values=[0.5, 0.9])
    schema = schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json")
    wrong = {}

    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith(ENDLESS):
            try:
                asked(operation)
            except FailureGroup as failures:
                wrong[operation.label] = [str(failure) for failure in failures.exceptions]

    assert wrong == {}
