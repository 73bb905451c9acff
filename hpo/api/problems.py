"""Every error in one shape: problem+json (RFC 9457) with our `code`, and `path`, the place in what was sent."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hpo.account import hide_secrets
from hpo.api.json import Json
from hpo.api.schemas.problem import MEDIA_TYPE
from hpo.api.wording import sentence_of
from hpo.asking import REQUEST_ID
from hpo.errors import BadRequest, HpoError, StorageUnavailable, TooManyRequests, TooSlow

log = logging.getLogger(__name__)

RETRY_AFTER_S = 2  # when the database is away

# What the framework itself answers with, in our words.
_CODES = {404: "not_found", 405: "method_not_allowed"}
_NOWHERE = "nothing is at this address; /api/v1/openapi.json lists those of the API, the Optuna dashboard is at /dashboard"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    path: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Json:
    """An answer that says what is wrong."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": hide_secrets(detail),  # it may repeat what was sent
        "path": path if path is None else hide_secrets(path),
        "request_id": REQUEST_ID.get(),
        **more,
    }
    return Json(content, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def problem_of(error: HpoError) -> Json:
    """The problem that an error of ours is."""
    headers: dict[str, str] = {}
    if isinstance(error, StorageUnavailable):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooSlow):
        headers["Connection"] = "close"  # the rest of it would be taken for the next request
    detail = error.detail
    if error.internal:
        log.warning("%s", detail)
        detail = type(error)().detail
    return problem(error.status, error.code, detail, path=error.field, headers=headers)


async def _ours(_request: Request, error: Exception) -> Json:
    assert isinstance(error, HpoError)
    return problem_of(error)


async def _frameworks(_request: Request, error: Exception) -> Json:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    detail = _NOWHERE if error.status_code == 404 else str(error.detail)
    return problem(error.status_code, code, detail, headers=error.headers)


async def _malformed(_request: Request, error: Exception) -> Json:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *path = (str(word) for word in first["loc"])
    return problem(422, BadRequest.code, sentence_of(first), path=".".join(path) or where)


async def _cut_off(_request: Request, _error: Exception) -> Json:
    """Nobody reads it; what matters is that it is no fault of ours, and the log stays short."""
    return problem(400, BadRequest.code, "the request was cut off")


def unexpected(method: str, address: str, error: Exception) -> Json:
    """A fault of ours: nobody outside learns more than that it happened; the log has the rest."""
    log.error("%s %s failed", method, address, exc_info=error)
    return problem(500, "internal", "the server itself failed; its log has the details")


async def _unexpected(request: Request, error: Exception) -> Json:
    """Of what goes around the envelope; all else it has caught."""
    return unexpected(request.method, request.url.path, error)


def add_problems(app: FastAPI) -> None:
    """Make every error a problem."""
    app.add_exception_handler(HpoError, _ours)
    app.add_exception_handler(HTTPException, _frameworks)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(ClientDisconnect, _cut_off)
    app.add_exception_handler(Exception, _unexpected)
