"""Following a study: server-sent events that resume where a client lost them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from hpo.api.answers import answers
from hpo.api.deps import StorageOf, Viewer
from hpo.api.event_stream import EventStream
from hpo.api.guard import Guard
from hpo.api.names import StudyName
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.events import STREAM
from hpo.api.streams import Streams
from hpo.service import events

router = APIRouter(tags=["studies"], route_class=DeclaredOnly)

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The id of the last event that came.", examples=["128"]),
]
After = Annotated[
    str | None,
    Query(description="For a client without Last-Event-ID: such an id, or `now`; else from the first trial."),
]

_ANSWERS = answers(None, 400, 404, about="The stream.")
_ANSWERS["responses"][200]["content"] = STREAM
_ANSWERS["responses"][204] = {
    "description": "The client has everything, the study is final: do not come back."
}


@router.get("/studies/{name}/events", response_class=Response, **_ANSWERS)
async def follow_study(
    request: Request,
    name: StudyName,
    _: Viewer,
    storage: StorageOf,
    last: LastEventId = None,
    after: After = None,
) -> Response:
    """Follow a study: `trial` (several in one event), `progress` and `study`, at most two of each a second.

    The stream ends with the `study` event of a final study, and when the study is removed, the key revoked or the
    server stopped. A client that comes back with Last-Event-ID has every trial exactly once.
    """
    begin = await run_in_threadpool(events.start, storage, name, last=last, after=after)
    if begin.over:
        return Response(status_code=204)
    streams: Streams = request.app.state.streams
    guard: Guard = request.state.guard
    credential: str | None = request.state.credential
    return EventStream(streams.follow(name, begin.after, lambda: guard.still_allowed(credential)))
