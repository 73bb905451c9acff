"""What a route says of itself in the OpenAPI document: what it takes, its answer, its problems."""

from __future__ import annotations

from http import HTTPStatus
from types import UnionType
from typing import Any

from pydantic import BaseModel

from hpo.api.schemas.base import Sent
from hpo.api.schemas.problem import MEDIA_TYPE, Problem

PROBLEM = {"$ref": "#/components/schemas/Problem"}

# Which problems an answer of that status may be, the one in the example first.
_PROBLEMS: dict[int, tuple[str, str]] = {
    400: ("invalid_request", "The request is not well formed."),
    401: ("not_signed_in", "The server wants an API key and was shown none that it knows."),
    403: ("not_allowed", "This API key does not allow that."),
    404: ("study_not_found", "There is no such study, trial, data set or model."),
    409: ("illegal_move", "The study or trial is in a state in which that cannot be."),
    408: ("too_slow", "The request came too slowly; send it again."),
    412: ("changed", "It has changed since you read it (If-Match)."),
    413: ("too_large", "The request is larger than this server takes."),
    415: ("wrong_media_type", "The body is of a type that this address does not take."),
    421: ("wrong_host", "This server is not called that."),
    422: ("invalid_study", "A value is wrong, or a parameter or key is not known; `path` says which."),
    429: (
        "too_many_requests",
        "Too many requests, or a quota is reached; Retry-After says when to try again.",
    ),
    431: ("headers_too_large", "The head of the request is larger than this server takes."),
    501: ("not_installed", "The server lacks a package that this needs."),
    503: ("storage_unavailable", "The database is away; Retry-After says when to try again."),
}
ALWAYS = (401, 403, 421, 422, 429, 431, 503)  # any address may answer so
_OF_BODIES = (408, 413, 415)

JSON, YAML = "application/json", "application/yaml"


def answers(
    model: type[BaseModel] | UnionType | None,
    *problems: int,
    status: int = 200,
    about: str = "",
    takes: dict[str, Any] | type[Sent] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What a route's decorator is given, as in `@router.get("/studies", **answers(StudyPage, 400))`.

    model: of the answer; None: it has no JSON (`files` says what it has, 204 is empty)
    problems: statuses beside those that every route may answer with
    about: what the answer is; headers: those that come with it, name -> what it says
    takes: the body, by a model or by the JSON schema of a study file (then YAML too)
    """
    answer: dict[str, Any] = {"description": about or HTTPStatus(status).phrase}
    if model is not None:
        answer["model"] = model
    if headers:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    found: dict[str, Any] = {"response_model": None, "status_code": status}
    if takes is not None:
        problems = (*problems, *_OF_BODIES)
        found["openapi_extra"] = {"requestBody": _body(takes)}
    also = {number: _problem(number) for number in sorted({*problems, *ALWAYS})}
    return found | {"responses": {status: answer, **also}}


def files(*media_types: str) -> dict[str, Any]:
    """The content of an answer that is a file: merge it into `responses[200]`."""
    binary = {"type": "string", "format": "binary"}
    return {"content": {media_type: {"schema": binary} for media_type in media_types}}


def _body(takes: dict[str, Any] | type[Sent]) -> dict[str, Any]:
    """A body that is read raw; its schema's own definitions move to the components later."""
    if isinstance(takes, dict):
        return {"required": True, "content": {JSON: {"schema": takes}, YAML: {"schema": takes}}}
    schema = takes.model_json_schema()
    return {"required": bool(schema.get("required")), "content": {JSON: {"schema": schema}}}


def _problem(status: int) -> dict[str, Any]:
    code, detail = _PROBLEMS[status]
    example = Problem(
        title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, path=None
    ).model_dump()
    return {"description": detail, "content": {MEDIA_TYPE: {"schema": PROBLEM, "example": example}}}
