"""The Optuna dashboard behind the API's port and keys: a proxy to its own process, read-only unless allowed.

Its page asks for /static, /api, /csv and /artifacts whatever it is mounted under, so these are routes of
ours, behind all others and never /api/v1. Nothing of a request reaches it but what is listed here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, FastAPI, Request
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import StreamingResponse

from hpo.account import Account, Role
from hpo.api.deps import SiteOf, Viewer
from hpo.api.site import Site
from hpo.errors import DashboardAway, DashboardMissing, DashboardSlow, NotAllowed, TooLarge
from hpo.settings import parse_dashboard

log = logging.getLogger(__name__)

CONNECT_S, READ_S = 10.0, 120.0  # its process may have to start, and reads 10,000 trials in seconds
MAX_BODY_BYTES = 1 << 20
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_LOOKING = ("GET", "HEAD")

# What passes. Cookies, Authorization and whatever else says who asks stay here.
_TO_DASHBOARD = (
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "range",
)
_FROM_DASHBOARD = (
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "vary",
)


class _NotOurs(StringConvertor):
    """The rest of a path below /api that is not our own API's."""

    regex = r"(?!v1(?:/|$)).*"


register_url_convertor("not_ours", _NotOurs())

router = APIRouter(include_in_schema=False)


@asynccontextmanager
async def dashboard_client(app: FastAPI, site: Site) -> AsyncIterator[None]:
    """Connections to the dashboard, for as long as the application runs."""
    if site.dashboard is None:
        yield
        return
    base, socket_path = parse_dashboard(site.dashboard)
    async with httpx.AsyncClient(
        base_url=base,
        transport=httpx.AsyncHTTPTransport(uds=socket_path, limits=httpx.Limits(max_connections=32)),
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # one visitor's would be sent for all
        trust_env=False,
    ) as client:
        app.state.dashboard = client
        yield


async def _pass_on(request: Request, site: SiteOf, account: Viewer) -> StreamingResponse:
    """Hand a request to the dashboard and its answer back, as it comes."""
    if site.dashboard is None:
        raise DashboardMissing()
    _check_may(request.method, site, account)
    client: httpx.AsyncClient = request.app.state.dashboard
    try:
        answer = await client.send(await _theirs(request, client), stream=True)
    except httpx.TimeoutException as error:
        raise DashboardSlow() from error
    except httpx.HTTPError as error:
        log.warning("the dashboard at %s: %s", site.dashboard, error or type(error).__name__)
        raise DashboardAway() from error
    headers = {name: answer.headers[name] for name in _FROM_DASHBOARD if name in answer.headers}
    if "location" in answer.headers:  # under the name by which we are called
        there = urlsplit(answer.headers["location"])
        # With two slashes it would be another site's.
        path = f"/{there.path.lstrip('/')}"
        headers["location"] = there._replace(scheme="", netloc="", path=path).geturl()
    return StreamingResponse(_pieces(answer), status_code=answer.status_code, headers=headers)


for _path in (
    "/dashboard",
    *(f"/{_root}/{{rest:path}}" for _root in ("dashboard", "static", "csv", "artifacts")),
):
    router.add_api_route(_path, _pass_on, methods=_METHODS, response_model=None)
router.add_api_route("/api/{rest:not_ours}", _pass_on, methods=_METHODS, response_model=None)


def _check_may(method: str, site: Site, account: Account) -> None:
    """Raises NotAllowed unless somebody only looks, or may change things there."""
    least: Role | None = site.settings.dashboard_write
    if method in _LOOKING or (least is not None and account.role.includes(least)):
        return
    cure = (
        "HPO_DASHBOARD_WRITE=submitter or admin lets such accounts change studies in it"
        if least is None
        else f"changes need the role {least}"
    )
    raise NotAllowed(f"the Optuna dashboard only shows studies here; {cure}")


async def _theirs(request: Request, client: httpx.AsyncClient) -> httpx.Request:
    """The request as the dashboard gets it. Raises TooLarge."""
    path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    url = httpx.URL(client.base_url).copy_with(raw_path=path + (b"?" + query if query else b""))
    headers = {name: request.headers[name] for name in _TO_DASHBOARD if name in request.headers}
    headers.setdefault("accept-encoding", "identity")
    body = b"" if request.method in _LOOKING else await _body(request)
    return client.build_request(request.method, url, headers=headers, content=body or None)


async def _body(request: Request) -> bytes:
    """A body that is small. Raises TooLarge."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"the dashboard takes bodies of at most {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The bytes of an answer as they come, compressed or not."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
