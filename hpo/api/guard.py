"""The guard at the door: who asks, from where, how often and how much, before any route is reached."""

from __future__ import annotations

import ipaddress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from hpo.account import ANYBODY, NOBODY, Account
from hpo.api.asked import (
    Head,
    client_behind,
    is_address,
    is_own_origin,
    is_trusted,
    name_of,
    peer_of,
    read_head,
)
from hpo.api.buckets import Buckets
from hpo.api.callers import Callers, credential_of
from hpo.api.problems import problem_of
from hpo.api.receiving import check_length, check_media_type, limit_of, limited
from hpo.api.site import Site
from hpo.errors import (
    ForeignOrigin,
    HpoError,
    NotAllowed,
    NotSignedIn,
    TooManyRequests,
    WrongHost,
)

# What may be asked without a key.
PUBLIC = ("/healthz", "/readyz", "/login", "/logout")
PUBLIC_FOLDERS = ("/assets/",)
BURST_S = 2.0  # so many seconds' worth of requests may come at once
_LOOKS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Lets a request through to the application, with `state.account`, or answers it with a problem."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site
        self._proxies = tuple(ipaddress.ip_network(place) for place in site.settings.trusted_proxies)
        self._rates = Buckets(site.settings.rate_limit, site.settings.rate_limit * BURST_S)
        self._upload_bytes = site.settings.max_upload_mb << 20
        self.callers = Callers(site.storage)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":  # there are none, and none passes unseen
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            head = read_head(scope)
            address = self._address(scope, head)
            self._check_sender(scope, head)
            account, credential = await self._who(scope["path"], head, address)
            self._check_rate(account.key or address)
            limit = limit_of(scope["path"], self._upload_bytes)
            check_media_type(head, scope["path"])
            check_length(head, limit)
        except HpoError as error:
            await problem_of(error)(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state.update(account=account, guard=self, address=address, credential=credential)
        if head.has_body:
            receive = limited(receive, limit, self._site.patience_s)
        await self._app(scope, receive, send)

    def _address(self, scope: Scope, head: Head) -> str:
        """Who asks, by address; a proxy that is trusted says for whom and whether by https."""
        peer = peer_of(scope)
        if not self._proxies or not is_trusted(peer, self._proxies):
            return peer
        if head.text(b"x-forwarded-proto").lower() == "https":
            scope["scheme"] = "https"
        return client_behind(head, peer, self._proxies)

    def _check_sender(self, scope: Scope, head: Head) -> None:
        """Raises WrongHost, ForeignOrigin, NotAllowed: who could be a web page of somebody else."""
        hosts, called = self._site.hosts, name_of(head.host)
        # Where keys are asked for, probes may use the address: to rebind takes a name.
        if hosts and called not in hosts and not (self._site.auth and is_address(called)):
            raise WrongHost(f"this server is not called {called!r}; HPO_ALLOWED_HOSTS names further hosts")
        origin = head.text(b"origin")
        if origin and not is_own_origin(origin, head.host):
            raise ForeignOrigin("a page of another site made this request; this server answers its own only")
        if scope["method"] not in _LOOKS and head.text(b"sec-fetch-site") in ("cross-site", "same-site"):
            raise ForeignOrigin("a page of another site made this request; this server answers its own only")
        if head.forwarded and not self._site.auth:
            raise NotAllowed(
                "this server asks for no keys and answers nobody through a proxy; start it with HPO_AUTH=required"
            )

    async def _who(self, path: str, head: Head, address: str) -> tuple[Account, str | None]:
        """Who asks, and the credential shown. Raises NotSignedIn, TooManyRequests."""
        if not self._site.auth:
            return ANYBODY, None
        if path in PUBLIC or path.startswith(PUBLIC_FOLDERS):
            return NOBODY, None
        credential = credential_of(head)
        if credential is None:
            raise NotSignedIn
        return await self.callers.account_of(credential, address), credential

    async def still_allowed(self, credential: str | None) -> bool:
        """Whether who was let in would be let in again: for answers that go on for hours."""
        return credential is None or await self.callers.is_valid(credential)

    def _check_rate(self, name: str) -> None:
        wait = self._rates.take(name)
        if wait > 0:
            raise TooManyRequests(
                f"more than {self._site.settings.rate_limit} requests a second; try again later",
                retry_after_s=wait,
            )
