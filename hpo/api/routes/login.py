"""Signing in: a key becomes a cookie for the pages; the key itself stays out of the browser."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response

from hpo.account import ApiKey
from hpo.api.answers import JSON
from hpo.api.bodies import media_type_of, parse, raw
from hpo.api.callers import COOKIE, cookie_of
from hpo.api.deps import StorageOf
from hpo.api.guard import Guard
from hpo.api.json import Json
from hpo.api.pages.faces import SIGN_IN, browses, local
from hpo.api.schemas.keys import SignIn
from hpo.errors import BadRequest
from hpo.service import keys
from hpo.service.plain_text import read_plain

router = APIRouter(include_in_schema=False)  # of the pages, not of the API

FORM = "application/x-www-form-urlencoded"


async def _sent(request: Request) -> SignIn:
    """The key, from JSON or from the form of a page."""
    body = await raw(request, JSON, FORM)
    if media_type_of(request) == JSON:
        return parse(SignIn, read_plain(body) if body.strip() else {})
    try:
        fields = parse_qs(body.decode("ascii", errors="replace"), max_num_fields=10)
    except ValueError:
        raise BadRequest("a form to sign in with has the field `key` and no other") from None
    return parse(SignIn, {name: values[-1].strip() for name, values in fields.items()})


Credentials = Annotated[SignIn, Depends(_sent)]


@router.post("/login")
async def login(request: Request, credentials: Credentials, storage: StorageOf) -> Response:
    """Sign in with a key, as JSON or as a form; the answer to a form goes on to the page named by `next`.

    The cookie is gone when the key is revoked, after /logout, and after a week.
    """
    guard: Guard = request.state.guard
    made: list[str] = []

    def open_session() -> ApiKey:
        key, cookie = keys.sign_in(storage, credentials.key)
        made.append(cookie)
        return key

    key = await guard.callers.guessing(request.state.address, open_session)
    if media_type_of(request) == FORM:
        there = local(request.query_params.get("next"))
        answer = Response(status_code=303, headers={"Location": there})
    else:
        answer = Json({"owner": key.owner, "role": key.role.value, "key": key.id})
    answer.headers["Cache-Control"] = "no-store"
    answer.set_cookie(
        COOKIE,
        made[0],
        max_age=int(keys.SESSION_S),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def logout(request: Request, storage: StorageOf) -> Response:
    """Sign out: the cookie is worth nothing from now on."""
    cookie = cookie_of(request.headers.get("cookie", ""))
    if cookie:
        keys.sign_out(storage, cookie)
        guard: Guard = request.state.guard
        guard.callers.forget(cookie)
    on = Response(status_code=303, headers={"Location": SIGN_IN})
    answer = on if browses(request.scope) else Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer
