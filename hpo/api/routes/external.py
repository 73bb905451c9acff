"""Trials that are trained elsewhere, by programs in any language: ask, report, heartbeat, tell."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Depends

from hpo.api.answers import answers
from hpo.api.bodies import sent
from hpo.api.deps import StorageOf, Submitter
from hpo.api.json import Json
from hpo.api.names import StudyName, TrialNumber
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.external import Ask, Handed, Heartbeat, Kept, Report, Reported, Tell, ToldTrial
from hpo.service import external
from hpo.service.external import Outcome

router = APIRouter(tags=["external trainers"], route_class=DeclaredOnly)

LATER = {"Retry-After": "Seconds until it is worth asking again, where there are no trials now."}


@router.post(
    "/studies/{name}/trials:ask",
    **answers(
        Handed, 404, 409, takes=Ask, headers=LATER, about="Trials under a lease, or why there are none now."
    ),
)
def ask_trials(
    name: StudyName, account: Submitter, storage: StorageOf, body: Annotated[Ask, Depends(sent(Ask))]
) -> Json:
    """Trials to train: those that this client has already, then those that others have lost, then new ones."""
    found = external.ask(storage, account, name, client=body.client_id, count=body.count)
    later = found["retry_after_s"]
    return Json(found, headers=None if later is None else {"Retry-After": str(math.ceil(later))})


@router.post("/studies/{name}/trials/{number}:report", **answers(Reported, 404, 409, takes=Report))
def report_trial(
    name: StudyName,
    number: TrialNumber,
    account: Submitter,
    storage: StorageOf,
    body: Annotated[Report, Depends(sent(Report))],
) -> Json:
    """Say what a trial is worth after an epoch; the answer says whether to go on. Renews its lease."""
    return Json(
        external.report(
            storage, account, name, number, epoch=body.epoch, value=body.value, client=body.client_id
        )
    )


@router.post("/studies/{name}/trials/{number}:heartbeat", **answers(Kept, 404, 409, takes=Heartbeat))
def keep_trial(
    name: StudyName,
    number: TrialNumber,
    account: Submitter,
    storage: StorageOf,
    body: Annotated[Heartbeat, Depends(sent(Heartbeat))],
) -> Json:
    """Keep a trial for another lease."""
    return Json(external.heartbeat(storage, account, name, number, client=body.client_id))


@router.post("/studies/{name}/trials/{number}:tell", **answers(ToldTrial, 404, 409, takes=Tell))
def tell_trial(
    name: StudyName,
    number: TrialNumber,
    account: Submitter,
    storage: StorageOf,
    body: Annotated[Tell, Depends(sent(Tell))],
) -> Json:
    """Say how a trial ended. The first to say so counts; the same again changes nothing, anything else is 409."""
    outcome = Outcome(
        state=body.state, value=body.value, values=body.values, reason=body.reason, epochs=body.epochs
    )
    return Json(external.tell(storage, account, name, number, outcome))
