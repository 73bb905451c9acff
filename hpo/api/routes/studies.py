"""Studies: listed and shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from hpo.api.answers import answers
from hpo.api.deps import StorageOf, Viewer
from hpo.api.json import Json
from hpo.api.names import Cursor, Limit, StudyName
from hpo.api.schemas.study import StudyPage, StudyRecord
from hpo.service import paging, results

router = APIRouter(tags=["studies"])

States = Annotated[list[str], Query(alias="state", description="Only those in one of these states.")]
Labels = Annotated[list[str], Query(alias="label", description="Only those with this label, `name=value`.")]
Owner = Annotated[str | None, Query(description="Only this owner's.")]


@router.get("/studies", **answers(StudyPage, 400))
def list_studies(
    _: Viewer,
    storage: StorageOf,
    states: States = [],  # noqa: B006 - FastAPI copies it
    labels: Labels = [],  # noqa: B006
    owner: Owner = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """Studies, the newest first, a page at a time."""
    found = paging.studies_page(
        storage, states=states, labels=labels, owner=owner, limit=limit, cursor=cursor
    )
    return Json(found)


@router.get("/studies/{name}", **answers(StudyRecord, 404))
def show_study(name: StudyName, _: Viewer, storage: StorageOf) -> Json:
    """All there is to say of a study."""
    return Json(results.show(storage, name))
