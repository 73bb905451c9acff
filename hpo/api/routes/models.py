"""Models: taken home, trained again where they were not kept, and asked for predictions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from hpo.api.answers import JSON, answers, files
from hpo.api.bodies import media_type_of, raw
from hpo.api.deps import SiteOf, StorageOf, Viewer
from hpo.api.json import Json
from hpo.api.names import StudyName
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.model import ModelAwaited, Predicted
from hpo.service import kept_models
from hpo.service.model_files import KINDS, model_file
from hpo.service.predicting import MOST_ROWS, most_rows, predictions
from hpo.service.rows import rows_of_csv, rows_of_json
from hpo.study import MAX_TRIALS

router = APIRouter(tags=["models"], route_class=DeclaredOnly)

CSV = "text/csv"
MOST_BYTES = 32 << 20
READERS = {JSON: rows_of_json, CSV: rows_of_csv}

Trial = Annotated[
    int | None,
    Query(ge=0, le=MAX_TRIALS, description="Whose; else the best trial's.", examples=[17]),
]
Kind = Annotated[
    str,
    Query(
        alias="format",
        description="zip: a folder of preparation, weights and README; safetensors: both in one file; onnx.",
        json_schema_extra={"enum": list(KINDS)},
    ),
]
_RECORDS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object"},
    "maxItems": MOST_ROWS,
    "title": "Rows",
    "description": "A record for each row, its cells by the names of columns; null is missing.",
    "example": [{"alcohol": 9.4, "pH": 3.51}, {"alcohol": 9.8, "pH": None}],
}
_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": _RECORDS},
        CSV: {"schema": {"type": "string", "example": "alcohol,pH\n9.4,3.51\n"}},
    },
}


def _model_answers() -> dict[str, Any]:
    """A file, or word that the trial is being trained."""
    told = answers(None, 404, 409, 501, about="The model.")
    awaited = answers(ModelAwaited, status=202, about="It was not kept; its trial is trained once more.")
    later = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
    told["responses"][200] |= files(*dict.fromkeys(kind.media_type for kind in KINDS.values()))
    told["responses"][202] = awaited["responses"][202] | {"headers": later}
    return told


@router.get("/studies/{name}/model", response_class=Response, **_model_answers())
def download_model(
    name: StudyName,
    account: Viewer,
    site: SiteOf,
    storage: StorageOf,
    trial: Trial = None,
    kind: Kind = "zip",
) -> Response:
    """The model of the best trial or another. One that was not kept is trained once more: 202, ask again."""
    found = kept_models.model_or_request(storage, site.models, account, name, trial)
    if isinstance(found, dict):
        return Json(found, status_code=202, headers={"Retry-After": str(kept_models.RETRY_AFTER_S)})
    file = model_file(found, kind)
    how = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.data, media_type=file.media_type, headers=how)


class Rows:
    """A body of rows: its bytes, and how they are read."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content, self.read = content, READERS[media_type]


async def rows_sent(request: Request) -> Rows:
    """The body as rows, JSON or CSV."""
    content = await raw(request, *READERS, most=MOST_BYTES)
    return Rows(content, media_type_of(request) or JSON)


@router.post(
    "/studies/{name}/predict",
    **answers(Predicted, 400, 404, 409, 408, 413, 415) | {"openapi_extra": {"requestBody": _BODY}},
)
def predict_rows(
    name: StudyName,
    _: Viewer,
    site: SiteOf,
    storage: StorageOf,
    rows: Annotated[Rows, Depends(rows_sent)],
    trial: Trial = None,
) -> Json:
    """What the best trial's model, or another that was kept, says of rows: JSON records or CSV, 10,000 at most.

    Columns are found by their names, others are ignored and named; where the target is among them, scores come
    too.
    """
    saved = site.models.model(storage, name, trial)
    return Json(predictions(saved, rows.read(saved, rows.content, most=most_rows(saved))))
