"""Whether the process lives, whether it can do its work, and what it measures: for those who watch servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hpo.api.deps import StorageOf, Viewer
from hpo.api.json import Json
from hpo.api.measures import CONTENT_TYPE, Measures
from hpo.errors import HpoError
from hpo.storage.base import Storage
from hpo.storage.rules import SEEN_S

router = APIRouter(include_in_schema=False)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> Json:
    """The process answers; nothing else is asked."""
    return Json({"status": "ok"})


@router.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(storage: StorageOf) -> Json:
    """Each check with its outcome; 503 when one fails without which requests cannot be answered.

    Nobody shows a key here, so nothing is said of where the database is. A coordinator that is away
    stops no reader: its check fails, the answer stays 200.
    """
    checks = {name: _outcome(check, storage) for name, check in CHECKS.items()}
    ready = all(checks[name]["ok"] for name in NEEDED)
    whole = ready and all(check["ok"] for check in checks.values())
    status = "ready" if whole else "degraded" if ready else "not_ready"
    return Json(
        {"status": status, "checks": checks},
        status_code=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


@router.api_route("/metrics", methods=["GET", "HEAD"])
def metrics(request: Request, _: Viewer) -> Response:
    """Prometheus's page. Where keys are asked for it asks for one, as `authorization: {credentials: KEY}`."""
    measures: Measures = request.app.state.measures
    return Response(measures.page(), media_type=CONTENT_TYPE)


def _database(storage: Storage) -> dict[str, Any]:
    """Whether it answers, and how quickly."""
    began = time.perf_counter()
    storage.coordinators()
    return {"seconds": round(time.perf_counter() - began, 6)}


def _revision(storage: Storage) -> dict[str, Any]:
    """Whether its tables are those of this hpo."""
    return {"revision": storage.revision()}


def _coordinator(storage: Storage) -> dict[str, Any]:
    """Whether somebody runs studies."""
    seen = storage.coordinators()
    if not seen:
        since = f"no coordinator was seen within the last {SEEN_S:.0f} s"
        detail = f"{since}; studies wait, and the server's log says why one cannot start"
        return {"ok": False, "detail": detail}
    return {"age_s": round(min(beat.age_s for beat in seen), 3), "n": len(seen)}


CHECKS: dict[str, Callable[[Storage], dict[str, Any]]] = {
    "database": _database,
    "revision": _revision,
    "coordinator": _coordinator,
}
NEEDED = ("database", "revision")


def _outcome(check: Callable[[Storage], dict[str, Any]], storage: Storage) -> dict[str, Any]:
    try:
        return {"ok": True, **check(storage)}
    except HpoError as error:
        return {"ok": False, "code": error.code}
