"""Data sets: uploaded, listed, looked at, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from hpo.api.answers import answers
from hpo.api.deps import StorageOf, Submitter, Viewer
from hpo.api.json import Json
from hpo.api.names import Cursor, Limit
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.dataset import DatasetPage, DatasetRecord, DatasetSummary
from hpo.api.uploads import BODY, Uploaded
from hpo.service import datasets

router = APIRouter(tags=["datasets"], route_class=DeclaredOnly)

Key = Annotated[
    str, Path(description="Its id, or its name (the newest of that name).", examples=["ds_5b1f8c2d9e3a4f60"])
]
FileName = Annotated[
    str, Query(alias="name", description="What to call it: the file's name.", examples=["wine-red.csv"])
]
Target = Annotated[str | None, Query(description="The column to predict.", examples=["quality"])]


@router.get("/datasets", **answers(DatasetPage, 400))
def list_datasets(_: Viewer, storage: StorageOf, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Data sets a page at a time: the built-in ones, then those that were uploaded, by name."""
    return Json(datasets.page(storage, limit=limit, cursor=cursor))


@router.post(
    "/datasets",
    **(
        answers(
            DatasetSummary,
            400,
            413,
            415,
            status=201,
            about="The data set; the same bytes have one id, and the name that they came under first.",
        )
        | {"openapi_extra": {"requestBody": BODY}}
    ),
)
def upload_dataset(account: Submitter, storage: StorageOf, name: FileName, file: Uploaded) -> Json:
    """Keep a file. It is read once to the end, so that what no study could read is refused now.

    Two files are read at a time; a few more wait for a while, and the others are told when to come back: 429.
    """
    kept = datasets.keep(storage, name, file, owner=account.owner)
    return Json(kept, status_code=201, headers={"Location": f"/api/v1/datasets/{kept['id']}"})


@router.get("/datasets/{key}", **answers(DatasetRecord, 404))
def show_dataset(key: Key, _: Viewer, storage: StorageOf, target: Target = None) -> Json:
    """What a data set holds: its columns and first rows; with a target also what a study makes of it."""
    return Json(datasets.shown_by_server(storage, key, target=target))


@router.delete("/datasets/{key}", **answers(DatasetSummary, 404, 409, about="What it was."))
def delete_dataset(key: Key, account: Submitter, storage: StorageOf) -> Json:
    """Remove an uploaded data set for good; not while a study that is not final uses it."""
    return Json(datasets.stored_record(datasets.remove(storage, key, account=account)))
