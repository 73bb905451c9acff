"""Studies: submitted, listed, shown, changed, removed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from hpo.api.answers import answers
from hpo.api.bodies import sent, study_text
from hpo.api.deps import SiteOf, StorageOf, Submitter, Viewer
from hpo.api.etags import versioned, versions_of
from hpo.api.json import Json
from hpo.api.names import Cursor, Limit, StudyName, Word
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.plan import Validated
from hpo.api.schemas.requests import Changes
from hpo.api.schemas.study import StudyPage, StudyRecord
from hpo.coordinator import estimating
from hpo.service import acting, amending, paging, results, specfile, submission, workers
from hpo.service.accounts import quota_of
from hpo.states import StudyState

router = APIRouter(tags=["studies"], route_class=DeclaredOnly)

STUDY_FILE: dict[str, Any] = {
    **specfile.json_schema(),
    "title": "StudyFile",
    "description": "A study file in its long form. A parameter may also be a list, which is a choice, or a bare "
    "value; `parameters` also the name of a search space.",
    "example": {
        "name": "digits-first",
        "data": {"source": "digits"},
        "trials": 64,
        "epochs": 30,
        "parameters": {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}},
    },
}

StudyText = Annotated[bytes, Depends(study_text)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Yours for this request: sent again with the same key, the study is the one made before.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the study as you read it: else 412. Only what PATCH may change counts.",
    ),
]
_STATES = {"items": {"type": "string", "enum": [state.value for state in StudyState]}}
States = Annotated[
    list[Word],
    Query(alias="state", description="Only those in one of these states.", json_schema_extra=_STATES),
]
Labels = Annotated[list[Word], Query(alias="label", description="Only those with this label, `name=value`.")]
Owner = Annotated[Word | None, Query(description="Only this owner's.")]
LOCATION = {"Location": "Where the study is."}


@router.post(
    "/studies", **answers(StudyRecord, 400, 404, 409, status=201, takes=STUDY_FILE, headers=LOCATION)
)
def submit_study(
    account: Submitter, site: SiteOf, storage: StorageOf, text: StudyText, key: Key = None
) -> Json:
    """Have a study run: a study file, as JSON or YAML, on data that is built in or uploaded."""
    by = submission.sender(account, quota_of(storage, account), key=key, said=text)
    draft = submission.draft_of_text(text)
    made = submission.submit_draft(storage, draft, by, precision=site.settings.precision)
    return created(results.show(storage, made.name))


def created(record: dict[str, Any]) -> Json:
    """A study that is new, and where it is."""
    return Json(record, status_code=201, headers={"Location": f"/api/v1/studies/{record['name']}"})


@router.post("/studies:validate", **answers(Validated, 404, takes=STUDY_FILE))
def validate_study(_: Viewer, storage: StorageOf, text: StudyText) -> Json:
    """What a study file would become and take; nothing is stored."""
    spec, info = submission.completed(storage, submission.draft_of_text(text))
    machine = estimating.machine_of(workers.slots(storage))
    plan = None if info is None else estimating.estimate(spec, info, machine)
    return Json(submission.valid_record(spec, info, plan))


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


@router.get(
    "/studies/{name}", **answers(StudyRecord, 404, headers={"ETag": "For If-None-Match and If-Match."})
)
def show_study(name: StudyName, _: Viewer, storage: StorageOf) -> Json:
    """All there is to say of a study."""
    study = storage.get_study(name)
    return versioned(Json(results.record_of(storage, study)), amending.version_of(study))


@router.patch("/studies/{name}", **answers(StudyRecord, 404, 409, 412, takes=Changes))
def amend_study(
    name: StudyName,
    account: Submitter,
    storage: StorageOf,
    changes: Annotated[Changes, Depends(sent(Changes))],
    if_match: IfMatch = None,
) -> Json:
    """Change what may change while a study lives: its total of trials, priority, limits and labels."""
    given = changes.model_dump(exclude_unset=True)
    study = amending.amend(storage, account, name, given, versions=versions_of(if_match))
    return versioned(Json(results.record_of(storage, study)), amending.version_of(study))


@router.delete("/studies/{name}", **answers(None, 404, 409, status=204, about="It is gone."))
def remove_study(name: StudyName, account: Submitter, storage: StorageOf) -> Response:
    """Remove a study with its trials, for good; refused while somebody drives it."""
    acting.remove(storage, account, name)
    return Response(status_code=204)
