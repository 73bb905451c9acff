"""The trials of a study: listed, shown, enqueued, retried."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from hpo.api.answers import answers
from hpo.api.bodies import sent
from hpo.api.deps import StorageOf, Submitter, Viewer
from hpo.api.json import Json
from hpo.api.names import Cursor, Limit, StudyName, TrialNumber, Word
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.requests import Retry, Settings
from hpo.api.schemas.trial import CurveRecord, Enqueued, TrialPage, TrialRecord
from hpo.service import acting, curves, paging, results
from hpo.service.enqueueing import record_of
from hpo.service.paging import Wanted
from hpo.states import TrialState

router = APIRouter(tags=["trials"], route_class=DeclaredOnly)

_STATES = {"items": {"type": "string", "enum": [state.value for state in TrialState]}}


async def _wanted(
    states: Annotated[
        list[Word],
        Query(alias="state", description="Only those in one of these states.", json_schema_extra=_STATES),
    ] = [],  # noqa: B006 - FastAPI copies it
    sort: Annotated[
        Word,
        Query(
            description="number, value, finished_at, epochs or params.NAME; with - the largest first. "
            "Trials without one come last.",
            examples=["-value"],
        ),
    ] = "number",
    where: Annotated[
        Word | None,
        Query(
            description="Conditions joined by `and`: a name as for sort, one of = != < <= > >= in, a value.",
            examples=["value >= 0.9 and params.optimizer in (adam, sgd)"],
        ),
    ] = None,
    fields: Annotated[
        Word | None,
        Query(description="Only these, with commas between.", examples=["number,value,params.learning_rate"]),
    ] = None,
) -> Wanted:
    """Which trials a request asks for."""
    named = () if fields is None else tuple(field.strip() for field in fields.split(","))
    return Wanted(states=tuple(states), sort=sort, where=where, fields=named)


@router.get("/studies/{name}/trials", **answers(TrialPage, 400, 404))
def list_trials(
    name: StudyName,
    _: Viewer,
    storage: StorageOf,
    wanted: Annotated[Wanted, Depends(_wanted)],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Json:
    """Trials of a study, filtered and sorted by the database, a page at a time."""
    return Json(paging.trials_page(storage, name, wanted, limit=limit, cursor=cursor))


@router.get("/studies/{name}/trials/{number}", **answers(TrialRecord, 404))
def show_trial(name: StudyName, number: TrialNumber, _: Viewer, storage: StorageOf) -> Json:
    """All there is to say of one trial."""
    return Json(results.trial(storage, name, number))


@router.get("/studies/{name}/trials/{number}/curve", **answers(CurveRecord, 404))
def show_curve(
    name: StudyName,
    number: TrialNumber,
    _: Viewer,
    storage: StorageOf,
    points: Annotated[
        int, Query(ge=curves.FEWEST, le=curves.MOST, description="Of a column, at most; peaks and dips stay.")
    ] = curves.DEFAULT_POINTS,
) -> Json:
    """What a trial's epochs came to; nothing while it trains."""
    return Json(curves.curve(storage, name, number, points=points))


@router.post("/studies/{name}/trials:enqueue", **answers(Enqueued, 404, 409, takes=Settings))
def enqueue_settings(
    name: StudyName,
    account: Submitter,
    storage: StorageOf,
    body: Annotated[Settings, Depends(sent(Settings))],
) -> Json:
    """Have settings tried before what the sampler proposes next; the total of trials grows by as many."""
    return Json(record_of(acting.enqueue(storage, account, name, body.settings)))


@router.post("/studies/{name}/trials:retry", **answers(Enqueued, 404, 409, takes=Retry))
def retry_trials(
    name: StudyName, account: Submitter, storage: StorageOf, body: Annotated[Retry, Depends(sent(Retry))]
) -> Json:
    """Train failed trials once more under new numbers: those given, or all that were not retried yet."""
    return Json(record_of(acting.retry(storage, account, name, body.numbers)))


@router.post("/studies/{name}/trials/{number}:retry", **answers(Enqueued, 404, 409))
def retry_trial(name: StudyName, number: TrialNumber, account: Submitter, storage: StorageOf) -> Json:
    """Train a trial once more that failed by error, lost or out_of_memory, under a new number."""
    return Json(record_of(acting.retry(storage, account, name, [number])))
