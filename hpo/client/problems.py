"""A server's problems as our own errors: the same class, sentence and exit code as without a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from hpo.errors import HpoError, ServerError, TooManyRequests

# What a server's framework says where hpo has no error of its own.
_NO_SUCH_ADDRESS = ("not_found", "method_not_allowed")


def _all_errors(kind: type[HpoError] = HpoError) -> Iterator[type[HpoError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _all_errors(child)


_KINDS: dict[str, type[HpoError]] = {kind.code: kind for kind in _all_errors()}


def error_of(answer: httpx.Response, server: str) -> HpoError:
    """The error that an answer of 400 and more stands for. Its body has been read."""
    told = _problem(answer)
    request = f"{answer.request.method} {answer.request.url.path}"
    if told is None:
        return no_answer(answer, server)
    code, detail, path = str(told["code"]), str(told["detail"]), told.get("path")
    if code in _NO_SUCH_ADDRESS:
        return ServerError(
            f"{server} knows no {request}; it may be of another version of hpo (`hpo --version`)"
        )
    kind = _KINDS.get(code)
    if kind is None or kind is HpoError:
        return ServerError(f"{server} answered {request} with {answer.status_code}: {detail}")
    if issubclass(kind, TooManyRequests):
        return kind(detail, retry_after_s=retry_after(answer) or 1.0)
    return kind(detail, field=None if path is None else str(path))


def no_answer(answer: httpx.Response, server: str) -> ServerError:
    """The error for an answer that no hpo server gives."""
    kind = answer.headers.get("content-type", "").split(";")[0] or "no type"
    what = f"status {answer.status_code}, {kind}"
    if answer.is_redirect:
        what = f"a redirect to {answer.headers.get('location', 'nowhere')!r}"
    return ServerError(
        f"{server} answered with something that hpo does not say ({what}); is that the address of `hpo serve`?"
    )


def retry_after(answer: httpx.Response) -> float | None:
    """After how many seconds to ask again, where the server says so."""
    word = answer.headers.get("retry-after", "")
    return float(word) if word.isdecimal() else None


def _problem(answer: httpx.Response) -> Mapping[str, Any] | None:
    try:
        told = answer.json()
    except ValueError:
        return None
    if isinstance(told, dict) and {"code", "detail"} <= set(told):
        return told
    return None
