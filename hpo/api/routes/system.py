"""What the server is: its version."""

from __future__ import annotations

from fastapi import APIRouter

from hpo.api.answers import answers
from hpo.api.deps import Viewer
from hpo.api.json import Json
from hpo.api.schemas.system import Versions
from hpo.service.submit import versions

router = APIRouter(tags=["system"])


@router.get("/version", **answers(Versions))
def version(_: Viewer) -> Json:
    """The versions of hpo and of what results depend on."""
    return Json(versions())
