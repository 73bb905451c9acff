"""Server-sent events on a socket: in order, resumed without loss or repetition, soon, cheap, and over when they should be."""

import asyncio
import json
import threading
import time
from contextlib import aclosing, contextmanager

import httpx
import pytest
from sqlalchemy import Engine, event

from hpo.account import Role
from hpo.api.streams import Streams
from hpo.cohort import CohortPlan
from hpo.service.events import Place
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from hpo.testing.studies import SPACE, begun, complete, driver, finished, new_study, plans
from tests.api.streaming import events_of, following


def numbers_of(events):
    """The numbers of the trials that events bring."""
    return [item["number"] for kind, data, _ in events if kind == "trial" for item in data["items"]]


def finish(storage, claim, cohort, *numbers):
    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(n, n / 100) for n in numbers])


def test_a_final_study_is_told_in_full_and_ends_the_stream(server):
    claim = finished(server.storage, [0.5, 0.9, 0.1])
    server.storage.release(claim, StudyState.COMPLETED)

    with following(server) as stream:
        events = list(stream)

    assert [kind for kind, _, _ in events] == ["trial", "progress", "study"]
    assert [item["place"] for item in events[0][1]["items"]] == [1, 2, 3]
    assert numbers_of(events) == [0, 1, 2]
    progress = events[1][1]
    assert progress["counts"] == {"COMPLETE": 3}
    assert progress["best"] == {"number": 1, "value": 0.9}
    assert (events[2][1]["state"], events[2][2]) == ("COMPLETED", "3.end")


def test_nothing_on_the_way_holds_the_stream_back(server):
    finished(server.storage, [0.5])

    with server.client.stream("GET", "/studies/wine/events") as answer:
        headers = answer.headers
        assert next(answer.iter_lines()) == "retry: 2000"

    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers
    assert "content-length" not in headers


def test_the_head_of_a_stream_is_no_stream(server):
    server.storage.create_study(new_study())

    answer = server.client.head("/studies/wine/events")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_a_stream_that_breaks_resumes_without_loss_or_repetition(server):
    claim, cohort = begun(server.storage, 30)
    seen, last = [], None
    for start in (0, 10, 20):
        finish(server.storage, claim, cohort, *range(start, start + 5))
        with following(server, last=last) as stream:
            for kind, data, mark in stream:
                if kind == "trial":
                    seen += [item["number"] for item in data["items"]]
                    last = mark
                    break
        finish(server.storage, claim, cohort, *range(start + 5, start + 10))
    server.storage.release(claim, StudyState.COMPLETED)

    with following(server, last=last) as stream:
        seen += numbers_of(stream)

    assert seen == list(range(30))


@pytest.mark.parametrize("chosen", [{"after": "now"}, {"after": "2"}, {"last": "2", "after": "0"}])
def test_a_follower_may_begin_where_it_likes(server, chosen):
    claim, cohort = begun(server.storage, 4)
    finish(server.storage, claim, cohort, 0, 1)

    with following(server, **chosen) as stream:
        assert next(stream)[0] == "study"
        assert next(stream)[0] == "progress"
        finish(server.storage, claim, cohort, 3)
        kind, data, mark = next(stream)

    assert (kind, [item["number"] for item in data["items"]], mark) == ("trial", [3], "3")


def test_an_id_that_an_earlier_study_of_that_name_gave_begins_anew(server):
    finished(server.storage, [0.5, 0.9])

    with following(server, last="700") as stream:
        assert next(stream)[0] == "study"
        assert next(stream)[1]["items"][0]["place"] == 1


def test_who_has_everything_is_told_not_to_come_back(server):
    claim = finished(server.storage, [0.5, 0.9])
    server.storage.release(claim, StudyState.COMPLETED)

    def status(last):
        return server.client.get("/studies/wine/events", headers={"Last-Event-ID": last}).status_code

    assert (status("2.end"), status("2"), status("1.end")) == (204, 200, 200)
    server.storage.move_study("wine", StudyState.QUEUED)
    with following(server, last="2.end") as stream:
        assert next(stream)[1]["state"] == "QUEUED"


def test_what_happens_is_told_within_a_second(server):
    claim, cohort = begun(server.storage, 8)
    with following(server) as stream:
        assert next(stream)[0] == "study"
        assert next(stream)[0] == "progress"

        waits = []
        for number in range(4):
            began = time.monotonic()
            finish(server.storage, claim, cohort, number)
            while next(stream)[0] != "trial":
                pass
            waits.append(time.monotonic() - began)

    assert max(waits) < 1.0


def test_two_updates_a_second_are_the_most(server):
    claim, cohort = begun(server.storage, 200)
    stop = threading.Event()

    def work():
        for number in range(200):
            finish(server.storage, claim, cohort, number)
            if stop.wait(0.01):
                return

    worker = threading.Thread(target=work)
    with following(server) as stream:
        next(stream)
        began, n = time.monotonic(), 0
        worker.start()
        for kind, _, _ in stream:
            n += kind == "trial"
            if time.monotonic() - began > 2.0:
                break
    stop.set()
    worker.join()

    assert 2 <= n <= 6


def test_a_study_that_moves_is_told(server):
    server.storage.create_study(new_study())
    with following(server) as stream:
        states = [next(stream)[1]["state"]]
        claim = server.storage.claim_study("wine", driver())
        states += [
            data["state"] for kind, data, _ in [next(e for e in stream if e[0] == "study")] if kind == "study"
        ]
        server.storage.release(claim, StudyState.CANCELLED)
        states += [data["state"] for kind, data, _ in stream if kind == "study"]

    assert states == ["QUEUED", "RUNNING", "CANCELLED"]


@pytest.mark.parametrize(
    ("name", "headers", "status", "code"),
    [
        ("nobody", {}, 404, "study_not_found"),
        ("a%2Fb", {}, 404, None),
        ("wine", {"Last-Event-ID": "x"}, 400, "invalid_request"),
        ("wine", {"Last-Event-ID": "-1"}, 400, "invalid_request"),
        ("wine", {"Last-Event-ID": "9" * 40}, 400, "invalid_request"),
        ("wine", {"Last-Event-ID": "1; DROP TABLE studies"}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_followed_is_a_problem_and_no_stream(server, name, headers, status, code):
    server.storage.create_study(new_study())

    answer = server.client.get(f"/studies/{name}/events", headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert code in (None, answer.json()["code"])


def test_a_study_that_is_removed_ends_the_stream(server):
    server.storage.create_study(new_study())
    with following(server) as stream:
        assert next(stream)[0] == "study"

        server.storage.delete_study("wine")

        assert [kind for kind, _, _ in stream] == ["progress"]


def test_a_key_that_is_revoked_ends_the_stream(keyed):
    keyed.storage.create_study(new_study())
    [key] = [key for key in keyed.storage.list_keys() if key.role is Role.VIEWER]
    headers = {"Authorization": f"Bearer {keyed.secrets['viewer']}"}
    url = f"{keyed.url}/api/v1/studies/wine/events"
    with httpx.stream("GET", url, headers=headers, timeout=20) as answer:
        stream = events_of(answer)
        assert next(stream)[0] == "study"
        began = time.monotonic()

        keyed.storage.revoke_key(key.id)

        assert [kind for kind, _, _ in stream] == ["progress"]
    assert time.monotonic() - began < 8.0


def test_a_server_that_stops_ends_its_streams_at_once(server):
    server.storage.create_study(new_study())
    ended = []

    def follow(url, begun):
        with httpx.stream("GET", f"{url}/api/v1/studies/wine/events", timeout=20) as answer:
            for event_ in events_of(answer):
                ended.append(event_[0])
                begun.set()
        ended.append("over")

    begun_ = threading.Event()
    with serving(server.site) as url:
        follower = threading.Thread(target=follow, args=(url, begun_))
        follower.start()
        assert begun_.wait(10)
        began = time.monotonic()
    follower.join(5)

    assert time.monotonic() - began < 2.0
    assert ended[-1] == "over"


def test_who_comes_when_the_server_stops_is_sent_away():
    storage = open_storage("memory://")
    storage.create_study(new_study())

    async def allowed():
        return True

    async def hear():
        streams = Streams(storage)
        streams.stop()
        async with asyncio.timeout(5), aclosing(streams.follow("wine", None, allowed)) as parts:
            return [part async for part in parts]

    assert asyncio.run(hear()) == [b"retry: 2000\n\n"]


@contextmanager
def counted_queries():
    """How many statements of ours the databases of this process were sent so far."""
    sent = []

    def count(_connection, _cursor, statement, *_):
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def test_a_hundred_followers_cost_as_much_as_one_and_leave_nothing(server, waited):
    claim, cohort = begun(server.storage, 50)

    async def follow(client, n_ready):
        found = []
        async with client.stream("GET", f"{server.url}/api/v1/studies/wine/events", timeout=30) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: progress") and not found:
                    n_ready.append(1)
                if line.startswith('data: {"items"'):
                    found += [item["number"] for item in json.loads(line[6:])["items"]]
                if len(found) == 50:
                    return found

    async def all_of_them():
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits) as client:
            n_ready = []
            tasks = [asyncio.create_task(follow(client, n_ready)) for _ in range(100)]
            while len(n_ready) < 100:
                await asyncio.sleep(0.02)
            with counted_queries() as sent:
                began = time.monotonic()
                for first in range(0, 50, 10):
                    await asyncio.to_thread(finish, server.storage, claim, cohort, *range(first, first + 10))
                own = len(sent)
                found = await asyncio.gather(*tasks)
                return found, len(sent) - own, time.monotonic() - began

    found, n_queries, seconds = asyncio.run(all_of_them())

    assert found == [list(range(50))] * 100
    assert n_queries <= 12 * (seconds / 0.5 + 2)
    with counted_queries() as sent:
        waited(rest_of(sent), 10.0)


def rest_of(sent):
    """Tells whether nothing has been asked for longer than followers leave between two looks."""
    last = [len(sent), time.monotonic()]

    def is_so():
        if len(sent) != last[0]:
            last[:] = len(sent), time.monotonic()
        return time.monotonic() - last[1] > 1.2

    return is_so


def test_who_waits_hears_that_the_server_is_there():
    storage = open_storage("memory://")
    storage.create_study(new_study())

    async def allowed():
        return True

    async def hear():
        streams = Streams(storage, heartbeat_s=0.05)
        heard = []
        async with aclosing(streams.follow("wine", Place(n=0), allowed)) as parts:
            async for part in parts:
                heard.append(part)
                if heard[-2:] == [b": still here\n\n"] * 2:
                    break
        return heard, len(streams)

    heard, n_left = asyncio.run(hear())

    assert heard[0] == b"retry: 2000\n\n"
    assert [part.partition(b"\n")[0] for part in heard[1:3]] == [b"event: study", b"event: progress"]
    assert n_left == 0


def test_a_long_history_comes_in_pages(server):
    n = 2_500
    server.storage.create_study(new_study(n_trials=n))
    claim = server.storage.claim_study("wine", driver())
    [cohort] = server.storage.plan_trials(claim, SPACE, plans(0, n), [CohortPlan(numbers=tuple(range(n)))])
    cohort = server.storage.start_cohort(claim, cohort.id)
    finish(server.storage, claim, cohort, *range(n))
    server.storage.release(claim, StudyState.COMPLETED)

    with following(server) as stream:
        events = list(stream)

    assert numbers_of(events) == list(range(n))
    assert [len(data["items"]) for kind, data, _ in events if kind == "trial"] == [1000, 1000, 500]
