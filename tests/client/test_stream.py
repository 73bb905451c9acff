"""Events are read as they come, and taken up again behind the last one that came."""

import pytest

from hpo.client.stream import events_of, parsed
from hpo.client.transport import ATTEMPTS, Transport
from hpo.errors import ServerError, StudyNotFound

SSE = "text/event-stream"
RUNNING = b'retry: 2000\n\nevent: study\ndata: {"state":"RUNNING"}\n\n'
TRIAL = b'event: trial\nid: 7\ndata: {"items":[{"number":3}]}\n\n'
OVER = b'event: study\nid: 8.end\ndata: {"state":"COMPLETED"}\n\n'
PATH = "studies/wine/events"


@pytest.fixture
def waits():
    return []


@pytest.fixture
def transport(scripted, waits):
    found = Transport(scripted.url, wait=waits.append)
    yield found
    found.close()


def last_ids(scripted):
    return [headers.get("last-event-id") for _, _, headers, _ in scripted.asked]


def test_a_stream_that_breaks_is_taken_up_behind_the_last_event(scripted, transport, waits):
    scripted.will(body=RUNNING + TRIAL, kind=SSE)
    scripted.will(body=RUNNING, kind=SSE)
    scripted.will(body=OVER, kind=SSE)

    found = list(events_of(transport, PATH))

    assert [event.kind for event in found] == ["study", "trial", "study", "study"]
    assert found[1].data == {"items": [{"number": 3}]}
    assert last_ids(scripted) == [None, "7", "7"]
    assert len(waits) == 2


def test_half_an_event_does_not_count(scripted, transport):
    scripted.will(body=TRIAL + b'event: trial\nid: 9\ndata: {"items"', kind=SSE)
    scripted.will(body=OVER, kind=SSE)

    assert [event.id for event in events_of(transport, PATH)] == ["7", "8.end"]
    assert last_ids(scripted) == [None, "7"]


def test_a_connection_that_is_cut_off_is_made_again(scripted, transport):
    scripted.will(body=TRIAL, kind=SSE, content_length="9999")
    scripted.will(body=OVER, kind=SSE)

    assert [event.id for event in events_of(transport, PATH)] == ["7", "8.end"]


def test_whoever_has_had_events_before_goes_on_behind_them(scripted, transport):
    scripted.will(status=204, body=b"")

    assert list(events_of(transport, PATH, after="8.end")) == []
    assert list(events_of(transport, PATH, after="now")) == []

    assert last_ids(scripted) == ["8.end", None]
    assert [path.partition("?")[2] for _, path, *_ in scripted.asked] == ["", "after=now"]


def test_a_stream_that_breaks_again_and_again_is_an_error(scripted, transport, waits):
    scripted.will(body=b": still here\n\n", kind=SSE)

    with pytest.raises(ServerError, match="break off again and again"):
        list(events_of(transport, PATH))

    assert len(waits) == ATTEMPTS - 1


def test_a_study_that_is_removed_meanwhile_is_told(scripted, transport):
    scripted.will(body=TRIAL, kind=SSE)
    scripted.will(404, b'{"code": "study_not_found", "detail": "gone"}')

    with pytest.raises(StudyNotFound, match="gone"):
        list(events_of(transport, PATH))


def test_what_is_no_event_is_passed_over():
    lines = [": comment", "", "data: [1]", "", "data: {", "", "event: study", "data: {", 'data: "a": 1}', ""]

    assert [(event.kind, event.data) for event in parsed(lines)] == [("study", {"a": 1})]
