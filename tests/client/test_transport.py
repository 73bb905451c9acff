"""Requests are repeated where that is safe, and whatever a server answers ends as one sentence."""

import json
import socket

import pytest

from hpo import errors
from hpo.client.transport import ATTEMPTS, Call, Transport
from hpo.errors import (
    QuotaReached,
    ServerError,
    SpecError,
    StorageUnavailable,
    StudyNotFound,
    TooManyRequests,
    UnknownName,
)

GET = Call(method="GET", path="studies")
POST = Call(method="POST", path="studies")
ONCE = Call(method="POST", path="studies", repeatable=True)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def transport(scripted, waits):
    found = Transport(scripted.url, api_key="hpo_secret", wait=waits.append)
    yield found
    found.close()


def problem(code, detail, path=None):
    return json.dumps({"code": code, "detail": detail, "path": path, "status": 400}).encode()


PROBLEM = "application/problem+json"


def test_the_key_and_the_version_go_along(scripted, transport):
    scripted.will(body=b'{"name": "digits"}')

    assert transport.json(GET) == {"name": "digits"}

    [(method, path, headers, _)] = scripted.asked
    assert (method, path) == ("GET", "/api/v1/studies")
    assert headers["authorization"] == "Bearer hpo_secret"
    assert headers["user-agent"].startswith("hpo/")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_is_away_for_a_moment_is_asked_again(scripted, transport, waits, status):
    scripted.will(status, problem("storage_unavailable", "away"), PROBLEM, Retry_After="2")
    scripted.will(status, b"<html>", "text/html")
    scripted.will(body=b"[1]")

    assert transport.json(GET) == [1]

    assert len(waits) == 2
    assert waits[0] == 2.0
    assert 0.1 < waits[1] < 1.0


def test_a_connection_that_breaks_is_tried_again_where_twice_is_as_good_as_once(scripted, transport):
    scripted.will(body=None)
    scripted.will(body=b"[1]")

    assert transport.json(ONCE) == [1]


def test_what_must_not_happen_twice_is_not_sent_twice(scripted, transport, waits):
    scripted.will(body=None)

    with pytest.raises(ServerError, match="broke"):
        transport.json(POST)

    assert (len(scripted.asked), waits) == (1, [])


def test_patience_ends_with_the_servers_own_sentence(scripted, transport, waits):
    scripted.will(503, problem("storage_unavailable", "the database is away"), PROBLEM)

    with pytest.raises(StorageUnavailable, match="the database is away"):
        transport.json(GET)

    assert (len(scripted.asked), len(waits)) == (ATTEMPTS, ATTEMPTS - 1)


def test_a_server_that_asks_for_more_patience_than_there_is_gets_none(scripted, transport, waits):
    scripted.will(503, problem("storage_unavailable", "away"), PROBLEM, Retry_After="3600")

    with pytest.raises(StorageUnavailable):
        transport.json(GET)

    assert waits == []


def test_too_many_requests_wait_as_long_as_told_whatever_they_were(scripted, transport, waits):
    scripted.will(429, problem("too_many_requests", "slow down"), PROBLEM, Retry_After="3")
    scripted.will(body=b"[1]")

    assert transport.json(POST) == [1]
    assert waits == [3.0]


def test_the_last_too_many_says_when_to_come_back(scripted, transport):
    scripted.will(429, problem("too_many_requests", "slow down"), PROBLEM, Retry_After="600")

    with pytest.raises(TooManyRequests, match="slow down") as caught:
        transport.json(GET)

    assert caught.value.retry_after_s == 600.0


def test_a_quota_is_no_reason_to_wait(scripted, transport, waits):
    scripted.will(429, problem("quota_reached", "3 studies"), PROBLEM)

    with pytest.raises(QuotaReached, match="3 studies"):
        transport.json(GET)

    assert waits == []


@pytest.mark.parametrize(
    ("code", "path", "kind", "sentence"),
    [
        ("study_not_found", None, StudyNotFound, "no study is called x"),
        ("invalid_study", "parameters.l2.low", SpecError, "parameters.l2.low: no study is called x"),
        ("unknown_name", "sort", UnknownName, "sort: no study is called x"),
    ],
)
def test_a_problem_is_the_error_that_it_was_on_the_server(scripted, transport, code, path, kind, sentence):
    scripted.will(400, problem(code, "no study is called x", path), PROBLEM)

    with pytest.raises(kind) as caught:
        transport.json(GET)

    assert (type(caught.value), str(caught.value)) == (kind, sentence)


def test_every_error_of_ours_survives_the_way_through_a_server(scripted, transport):
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.HpoError)]

    for kind in kinds:
        if kind is errors.HpoError:
            continue
        scripted.answers.clear()
        scripted.will(400, problem(kind.code, "a sentence"), PROBLEM)
        with pytest.raises(kind) as caught:
            transport.json(POST)
        assert type(caught.value) is kind
        assert caught.value.exit_code == kind.exit_code


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (200, b"<html>hello</html>", "text/html", "something that hpo does not say (status 200, text/html)"),
        (200, b"{", "application/json", "something that hpo does not say"),
        (200, b"\xff\xfe\x00", "application/json", "something that hpo does not say"),
        (500, b"oops", "text/plain", "something that hpo does not say (status 500, text/plain)"),
        (400, b"[]", "application/json", "something that hpo does not say"),
        (404, problem("not_found", "Not Found"), PROBLEM, "knows no GET /api/v1/studies"),
        (405, problem("method_not_allowed", "no"), PROBLEM, "knows no GET /api/v1/studies"),
        (418, problem("teapot", "I am a teapot"), PROBLEM, "with 418: I am a teapot"),
        (500, problem("internal", "the server itself failed"), PROBLEM, "with 500: the server itself failed"),
    ],
)
def test_what_is_no_answer_ends_as_one_sentence(scripted, transport, status, body, kind, sentence):
    scripted.will(status, body, kind)

    with pytest.raises(ServerError) as caught:
        transport.json(GET)

    assert sentence in str(caught.value)
    assert scripted.url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_redirect_is_not_followed_and_the_key_does_not_go_there(scripted, transport):
    scripted.will(307, b"", "text/html", location="http://evil.example/")

    with pytest.raises(ServerError, match=r"a redirect to 'http://evil\.example/'"):
        transport.json(GET)


def test_an_answer_that_is_cut_off_says_so(scripted, transport):
    scripted.will(body=b"[1, 2", content_length="100")

    with pytest.raises(ServerError, match="cut off"):
        transport.json(GET)
    with pytest.raises(ServerError, match="cut off"):
        list(transport.chunks(GET))


def test_nobody_at_the_address_is_one_sentence_after_a_few_attempts(waits):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    with pytest.raises(ServerError, match=f"no server answers at http://127.0.0.1:{port} .*`hpo serve`"):
        Transport(f"http://127.0.0.1:{port}", wait=waits.append).json(POST)

    assert len(waits) == ATTEMPTS - 1


def test_a_server_on_this_machine_is_asked_without_a_proxy(scripted, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    scripted.will(body=b"[]")

    assert Transport(scripted.url).json(GET) == []


def test_a_body_is_sent_anew_with_each_attempt(scripted, transport):
    scripted.will(503, b"", "text/plain")
    scripted.will(body=b"[]")

    transport.json(
        Call(
            method="POST",
            path="x",
            body=lambda: iter([b"ab", b"cd"]),
            headers={"content-length": "4"},
            repeatable=True,
        )
    )

    assert [body for *_, body in scripted.asked] == [b"abcd", b"abcd"]
