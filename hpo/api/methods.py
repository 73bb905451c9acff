"""HEAD, OPTIONS and Allow: every address that answers GET answers HEAD, and each says which methods it knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.api.problems import problem


class _Enough(Exception):
    """The head of an answer is out, and no more was asked for."""


class Methods:
    """Makes a HEAD of a GET, and answers OPTIONS and what no route takes. routes: of the application."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app, self._routes = app, routes
        self._known: list[tuple[re.Pattern[str], frozenset[str]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowed = self._allowed(scope["path"])
        if not allowed:  # the router says what there is to say
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await send(_start(204, [(b"allow", ", ".join(allowed).encode())]))
            await send({"type": "http.response.body", "body": b""})
        elif scope["method"] not in allowed:
            said = f"this address takes {', '.join(allowed)}"
            refusal = problem(405, "method_not_allowed", said, headers={"Allow": ", ".join(allowed)})
            await refusal(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._head(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The head of what a GET would answer, however long its body."""
        done = False

        async def head_only(message: Message) -> None:
            nonlocal done
            if done:
                raise _Enough
            if message["type"] == "http.response.body":
                done = True
                await send({"type": "http.response.body", "body": b""})
                if message.get("more_body"):
                    raise _Enough
                return
            await send(message)

        try:
            await self._app({**scope, "method": "GET"}, receive, head_only)
        except _Enough:
            return
        except BaseExceptionGroup as group:
            if group.split(_Enough)[1] is not None:
                raise

    def _allowed(self, path: str) -> list[str]:
        """The methods that an address takes, in order; none where there is no such address."""
        if self._known is None:
            self._known = [
                (compile_path(route.path)[0], frozenset(route.methods or ()))
                for route in iter_route_contexts(self._routes)
                if route.path is not None
            ]
        found = {method for pattern, methods in self._known if pattern.match(path) for method in methods}
        if not found:
            return []
        return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}
