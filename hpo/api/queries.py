"""Queries: a parameter that a route has not declared is a mistake and says so, as an unknown key of a body does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from hpo.errors import suggest

_SHOWN = 60  # letters of a name that nobody has given


class DeclaredOnly(APIRoute):
    """A route that takes no parameter but its own; the routers of the API have `route_class=DeclaredOnly`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request. Here rather than in a dependency, which each request would pay for."""
        return _checked(super().get_route_handler(), list(dict.fromkeys(_declared(self.dependant))))


def _checked(
    answer: Callable[[Request], Awaitable[Response]], known: Sequence[str]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def answered(request: Request) -> Response:
        if request.scope["query_string"]:
            _check(request, known)
        return await answer(request)

    return answered


def _check(request: Request, known: Sequence[str]) -> None:
    """Raises RequestValidationError for the first parameter that is not known."""
    for name in request.query_params:
        if name not in known:
            listed = f"; there are {', '.join(known)}" if known else "; this address takes none"
            words = f"there is no such parameter{suggest(name[:_SHOWN], known) or listed}"
            raise RequestValidationError(
                [{"type": "unknown_parameter", "loc": ("query", name[:_SHOWN]), "msg": words}]
            )


def _declared(dependant: Dependant) -> Iterator[str]:
    """The names of the parameters that a route and whatever it depends on ask for."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _declared(inner)
