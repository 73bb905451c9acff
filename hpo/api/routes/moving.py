"""Studies moved: paused, resumed, stopped, cancelled, forked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends

from hpo.api.answers import answers
from hpo.api.bodies import sent
from hpo.api.deps import StorageOf, Submitter
from hpo.api.json import Json
from hpo.api.names import StudyName
from hpo.api.queries import DeclaredOnly
from hpo.api.routes.studies import LOCATION, Key, created
from hpo.api.schemas.requests import ForkOf, Resume
from hpo.api.schemas.study import StudyRecord
from hpo.service import acting, results, submission
from hpo.service.accounts import quota_of
from hpo.service.submission import Fork

router = APIRouter(tags=["studies"], route_class=DeclaredOnly)

SENTENCES = {
    "pause": "Hand running cohorts back within 10 s; `:resume` goes on with them.",
    "stop": "Start nothing more and let what runs finish; the study is then COMPLETED.",
    "cancel": "End what runs as FAIL `cancelled`, for good.",
}


def _mover(verb: str) -> Callable[..., Json]:
    def moved(name: StudyName, account: Submitter, storage: StorageOf) -> Json:
        acting.act(storage, account, name, verb)
        return Json(results.show(storage, name))

    moved.__name__ = f"{verb}_study"
    return moved


for _verb in acting.VERBS:
    router.add_api_route(
        f"/studies/{{name}}:{_verb}",
        _mover(_verb),
        methods=["POST"],
        summary=f"{_verb.capitalize()} Study",
        description=SENTENCES[_verb],
        **answers(StudyRecord, 404, 409, about="The study; `wanted` says what its driver was left word of."),
    )


@router.post("/studies/{name}:resume", **answers(StudyRecord, 404, 409, takes=Resume))
def resume_study(
    name: StudyName, account: Submitter, storage: StorageOf, body: Annotated[Resume, Depends(sent(Resume))]
) -> Json:
    """Have a coordinator go on with a study, up to a larger total if one is given. A pause under way is taken back."""
    acting.resume(storage, account, name, trials=body.trials)
    return Json(results.show(storage, name))


@router.post(
    "/studies/{name}:fork",
    **answers(StudyRecord, 400, 404, 409, status=201, takes=ForkOf, headers=LOCATION),
)
def fork_study(
    name: StudyName,
    account: Submitter,
    storage: StorageOf,
    body: Annotated[ForkOf, Depends(sent(ForkOf))],
    key: Key = None,
) -> Json:
    """A new study with the study file of this one, and what is to be different."""
    said = f"fork {name} {body.model_dump_json()}".encode()
    by = submission.sender(account, quota_of(storage, account), key=key, said=said)
    named = {} if body.name is None else {"name": body.name}
    asked = Fork(overrides={**body.set, **named}, replay=body.replay, trial=body.trial)
    return created(results.show(storage, submission.fork(storage, name, asked, by).name))
