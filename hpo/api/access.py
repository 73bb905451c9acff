"""A log line for every request that was answered: what was asked, by which key, the status, how long it took."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.api.templates import template_of

log = logging.getLogger(__name__)

# Asked every few seconds by machines: only for those who want to see everything.
_PROBES = ("/healthz", "/readyz", "/metrics")


class Access:
    """Around everything that answers; queries are left out, since people put keys there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and log it once its answer is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            _note(scope, status, time.perf_counter() - began)


def _note(scope: Scope, status: int, seconds: float) -> None:
    level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
    if not log.isEnabledFor(level):
        return
    path = str(scope.get("raw_path") or b"", "latin-1") or scope["path"]  # as it came: no line feeds
    account = scope.get("state", {}).get("account")
    fields = {
        "method": scope["method"],
        "path": path,
        "route": template_of(scope),
        "status": status,
        "ms": round(seconds * 1e3, 2),
        "key": getattr(account, "key", None),
    }
    log.log(
        level, "%s %s %d, %.1f ms", scope["method"], path, status, seconds * 1e3, extra={"fields": fields}
    )
