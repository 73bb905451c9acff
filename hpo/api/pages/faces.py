"""Problems as pages: who browses is asked to sign in, or told what is wrong; programs get problem+json as before."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.api.envelope import API
from hpo.api.pages.rendering import page
from hpo.api.schemas.problem import MEDIA_TYPE

SIGN_IN = "/login"
# Of the problem they describe its body; of the page other ones stand there.
_OF_THE_BODY = (
    b"content-type",
    b"content-length",
    b"content-security-policy",
    b"cache-control",
    b"referrer-policy",
)


def browses(scope: Scope) -> bool:
    """Whether a browser asks for something to look at: it says that it takes HTML, which programs do not."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return b"text/html" in accepted and not scope["path"].startswith(API)


def local(address: str | None) -> str:
    """Where to go on after signing in: an address of this server, else its first page.

    >>> local("/studies/wine?sort=name"), local("//evil.example"), local("https://evil.example"), local("/é")
    ('/studies/wine?sort=name', '/', '/', '/%C3%A9')
    """
    if not address or not address.startswith("/") or address[1:2] in ("/", "\\"):
        return "/"
    return quote(address, safe="/?&=#%+:,;@!()*~") if address.isprintable() else "/"


class Faces:
    """Around everything that answers with a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] == "HEAD" or not browses(scope):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = bytearray()

        async def shown(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_problem(message):
                held = message
                return
            if held is None or message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            face = _face(Request(scope), json.loads(body))
            said = [(name, value) for name, value in held["headers"] if name.lower() not in _OF_THE_BODY]
            face.raw_headers.extend(pair for pair in said if pair[0] not in dict(face.raw_headers))
            await face(scope, receive, send)

        await self._app(scope, receive, shown)


def _is_problem(start: Message) -> bool:
    return bool(dict(start["headers"]).get(b"content-type", b"").startswith(MEDIA_TYPE.encode()))


def _face(request: Request, problem: dict[str, Any]) -> Response:
    """What somebody who browses sees in place of a problem."""
    status, detail = problem["status"], _sentence(problem["detail"])
    if request.url.path == SIGN_IN:
        return page(
            request,
            "login",
            "Sign in",
            status=status,
            action=str(request.url.replace(scheme="", netloc="")),
            wrong=detail,
        )
    if status == 401 and request.method == "GET":
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.headers.get("sec-fetch-site") == "cross-site":
            # The cookie stays away from what a link of another site asks for; asked by a page of ours it comes along.
            return page(request, "again", "One moment", there=there)
        return RedirectResponse(f"{SIGN_IN}?next={quote(there, safe='/')}", status_code=303)
    return page(request, "error", problem["title"], status=status, detail=detail, problem=problem)


def _sentence(detail: str) -> str:
    """What is wrong, as a sentence.

    >>> _sentence("no study is called 'wine'")
    "No study is called 'wine'."
    """
    return detail[:1].upper() + detail[1:].rstrip(".") + "."
