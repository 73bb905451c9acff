"""Server-sent events: read as they come, and taken up again where a connection broke."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import httpx

from hpo.client.transport import ATTEMPTS, Call, Transport
from hpo.errors import ServerError
from hpo.progress import Event
from hpo.states import FINAL

SILENCE_S = 45.0  # servers say something more often, if only that they are there
NOW = "now"


def events_of(transport: Transport, path: str, *, after: str | None = None) -> Iterator[Event]:
    """The events of a study, behind that of an id, until nothing more will happen.

    A connection that breaks is made again where it broke; several that break without an event are an error.
    Raises ServerError, and what the server tells.
    """
    last, fruitless = after, 0
    while True:
        call = _call(path, last)
        try:
            with transport.stream(call, answer_s=SILENCE_S) as answer:
                if answer.status_code == httpx.codes.NO_CONTENT:
                    return
                for event in parsed(answer.iter_lines()):
                    last, fruitless = event.id or last, 0
                    yield event
                    if is_last(event):
                        return
            why = ""
        except httpx.HTTPError as error:
            why = f" ({error})"
        fruitless += 1
        if fruitless >= ATTEMPTS:
            raise ServerError(
                f"the events of {transport.server} break off again and again{why}; try again later"
            )
        transport.pause(fruitless)


def _call(path: str, last: str | None) -> Call:
    """The request for what comes behind an event; `now`: from now on."""
    headers = {"Accept": "text/event-stream"}
    if last is None or last == NOW:
        return Call(method="GET", path=path, headers=headers, params={"after": last})
    return Call(method="GET", path=path, headers=headers | {"Last-Event-ID": last})


def is_last(event: Event) -> bool:
    """Whether nothing more will happen to the study: a server then ends the stream."""
    return event.kind == "study" and event.data.get("state") in FINAL


def parsed(lines: Iterable[str]) -> Iterator[Event]:
    """The events in lines of text; comments and what holds no JSON object are passed over.

    >>> list(parsed(["id: 7", "event: study", 'data: {"state": "RUNNING"}', "", ": still there", ""]))
    [Event(id='7', kind='study', data={'state': 'RUNNING'})]
    """
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        try:
            data = json.loads("\n".join(fields.get("data", [])))
        except ValueError:
            data = None
        if isinstance(data, dict):
            yield Event(id=fields.get("id", [""])[-1], kind=fields.get("event", ["message"])[-1], data=data)
        fields = {}
