"""HEAD, OPTIONS and Allow: every address that answers GET answers HEAD, and each says which methods it knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.api.problems import problem
from hpo.api.verbs import Verb, unknown_verb, verbs_of

_HEADS = ("HEAD", "OPTIONS")


class _Enough(Exception):
    """The head of an answer is out, and no more was asked for."""


class Methods:
    """Makes a HEAD of a GET, and answers OPTIONS and what no route takes. routes: of the application."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken, method = self._taken(scope["path"]), scope["method"]
        if method in taken:
            await self._app(scope, receive, send)
            return
        missing = None if method in _HEADS else unknown_verb(scope["path"], self._verbs)
        if missing is not None:  # else `wine:paus` would pass for a name, and POST for the mistake
            await problem(404, "not_found", missing)(scope, receive, send)
            return
        if not taken:  # the router says what there is to say
            await self._app(scope, receive, send)
            return
        allowed = ", ".join(sorted(taken | {"OPTIONS"} | ({"HEAD"} if "GET" in taken else set())))
        if method == "OPTIONS":
            await send(_start(204, [(b"allow", allowed.encode())]))
            await send({"type": "http.response.body", "body": b""})
        elif method == "HEAD" and "GET" in taken:
            await self._head(scope, receive, send)
        else:
            refusal = problem(
                405, "method_not_allowed", f"this address takes {allowed}", headers={"Allow": allowed}
            )
            await refusal(scope, receive, send)

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

    def _taken(self, path: str) -> set[str]:
        """The methods that routes of an address take; none where there is no such address."""
        return {method for pattern, methods in self._known if pattern.match(path) for method in methods}

    @cached_property
    def _known(self) -> list[tuple[re.Pattern[str], frozenset[str]]]:
        return [(compile_path(path)[0], methods) for path, methods in self._templates()]

    @cached_property
    def _verbs(self) -> list[Verb]:
        return verbs_of(path for path, _ in self._templates())

    def _templates(self) -> Iterator[tuple[str, frozenset[str]]]:
        for route in iter_route_contexts(self._routes):
            if route.path is not None:
                yield route.path, frozenset(route.methods or ())


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}
