"""Queries: a parameter that a route has not declared, or that is given twice, is a mistake, as such a key of a body is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, get_origin

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from hpo.errors import suggest

_SHOWN = 60  # letters of a name that nobody has given


class DeclaredOnly(APIRoute):
    """A route that takes no parameter but its own, each once unless it is a list; the routers of the API have `route_class=DeclaredOnly`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request. Here rather than in a dependency, which each request would pay for."""
        return _checked(super().get_route_handler(), dict(_declared(self.dependant)))


def _checked(
    answer: Callable[[Request], Awaitable[Response]], known: Mapping[str, bool]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def answered(request: Request) -> Response:
        if request.scope["query_string"]:
            _check(request, known)
        return await answer(request)

    return answered


def _check(request: Request, known: Mapping[str, bool]) -> None:
    """Raises RequestValidationError for the first parameter that is not known, or is given twice and no list."""
    for name in request.query_params:
        if name not in known:
            listed = f"; there are {', '.join(known)}" if known else "; this address takes none"
            words = f"there is no such parameter{suggest(name[:_SHOWN], known) or listed}"
            raise _wrong("unknown_parameter", name[:_SHOWN], words)
        if not known[name] and len(given := request.query_params.getlist(name)) > 1:
            raise _wrong("repeated_parameter", name, f"is given {len(given)} times; give it once")


def _wrong(kind: str, name: str, words: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("query", name), "msg": words}])


def _declared(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The names of the parameters that a route and whatever it depends on ask for, and which of them are lists."""
    for field in dependant.query_params:
        yield field.alias, get_origin(field.field_info.annotation) is list
    for inner in dependant.dependencies:
        yield from _declared(inner)
