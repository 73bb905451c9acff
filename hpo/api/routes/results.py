"""What came out of a study: its best trials, importances, diagnosis, Pareto front; all trials as a file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from hpo.api.answers import JSON, answers, files
from hpo.api.deps import StorageOf, Viewer
from hpo.api.json import Json
from hpo.api.names import StudyName, Word
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.diagnosis import Diagnosis
from hpo.api.schemas.trial import Best, BestList, Front, Importances
from hpo.service import diagnosing, export, importance, paging, results
from hpo.service.top import top as top_trials
from hpo.study import MAX_TRIALS

router = APIRouter(tags=["results"], route_class=DeclaredOnly)


class ExportFormat(StrEnum):
    """What an export is."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSON: JSON,
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


@router.get("/studies/{name}/best", **answers(Best | BestList, 404, 409))
def best_trials(
    name: StudyName,
    _: Viewer,
    storage: StorageOf,
    top: Annotated[
        int | None,
        Query(ge=1, le=paging.MAX_PAGE, description="A list of so many, with what cannot be told apart."),
    ] = None,
) -> Json:
    """The best trial, ties to the lowest number; with `top` a list of the best."""
    if top is None:
        return Json(results.best(storage, name)[0])
    return Json({"items": top_trials(storage, name, top), "next_cursor": None})


@router.get("/studies/{name}/importance", **answers(Importances, 404))
def importances(
    name: StudyName,
    _: Viewer,
    storage: StorageOf,
    metric: Annotated[
        Word | None, Query(description="Of several objectives; the first unless given.")
    ] = None,
) -> Json:
    """How much each searched parameter matters, by PED-ANOVA; one that cannot be judged says why."""
    return Json(importance.importance(storage, name, metric=metric))


@router.get("/studies/{name}/diagnosis", **answers(Diagnosis, 404))
def diagnosis(
    name: StudyName,
    _: Viewer,
    storage: StorageOf,
    trial: Annotated[
        int | None, Query(ge=0, le=MAX_TRIALS, description="Of this trial instead.", examples=[17])
    ] = None,
) -> Json:
    """What ails the study or one of its trials, the most severe first, and the study file to try next.

    However many trials there are, it looks at the best few and at a sample of the others.
    """
    return Json(diagnosing.diagnosis(storage, name, trial))


@router.get("/studies/{name}/pareto", **answers(Front, 404))
def pareto_front(name: StudyName, _: Viewer, storage: StorageOf) -> Json:
    """The trials that no other beats in every objective."""
    return Json({"items": results.front(storage, name), "next_cursor": None})


_FILE = answers(None, 404, about="The file.")
_FILE["responses"][200] |= files(*MEDIA_TYPES.values())
_FILE["responses"][200]["content"][JSON]["schema"] = {"type": "array", "items": {"type": "object"}}


@router.get("/studies/{name}/export", response_class=Response, **_FILE)
def export_trials(
    name: StudyName,
    _: Viewer,
    storage: StorageOf,
    format: Annotated[ExportFormat, Query(description="What the file is.")] = ExportFormat.CSV,  # noqa: A002
) -> StreamingResponse:
    """All trials as a file; in CSV, text that a spreadsheet would take for a formula gets an apostrophe."""
    pieces = export.pieces(storage, name, format.value)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format.value}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[format], headers=headers)
