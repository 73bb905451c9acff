"""What the server is: its version, and the workers that train for it."""

from __future__ import annotations

from fastapi import APIRouter

from hpo.api.answers import answers
from hpo.api.deps import StorageOf, Viewer
from hpo.api.json import Json
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.system import Versions, Workers
from hpo.service import workers
from hpo.service.submit import versions

router = APIRouter(tags=["system"], route_class=DeclaredOnly)


@router.get("/version", **answers(Versions))
def version(_: Viewer) -> Json:
    """The versions of hpo and of what results depend on."""
    return Json(versions())


@router.get("/workers", **answers(Workers))
def list_workers(_: Viewer, storage: StorageOf) -> Json:
    """The coordinators that serve, and what the slots of their pools do."""
    return Json({"items": workers.workers(storage), "next_cursor": None})
