"""Connections that send no proper head are answered, or not, and closed."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from hpo.api.site import Site
from hpo.server.protocol import Protocol
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from hpo.testing.studies import new_study

HEAD = b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def connect():
    """Opens connections to a server with a study."""
    opened, storage = [], open_storage("memory://")
    storage.create_study(new_study("wine"))
    with serving(Site(settings=read_settings({}), storage=storage)) as url:

        def connection():
            where = urlsplit(url)
            opened.append(socket.create_connection((where.hostname, where.port), timeout=20))
            return opened[-1]

        yield connection
        for one in opened:
            one.close()


def answer_of(connection):
    """Status, headers and body of what comes back."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.headers, json.loads(answer.read())


def is_closed(connection):
    """Whether the server hangs up, without another word."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "piece", [b"X-A: " + b"x" * 4_000 + b"\r\n", b"x" * 4_000], ids=["many headers", "one header without end"]
)
def test_a_head_that_does_not_end_is_refused_when_it_is_too_long(connect, piece):
    connection = connect()
    connection.sendall(HEAD + b"X-B: ")
    connection.sendall(piece * 17)

    status, headers, body = answer_of(connection)

    assert (status, body["code"]) == (431, "headers_too_large")
    assert (headers["content-type"], headers["connection"]) == ("application/problem+json", "close")
    assert is_closed(connection)


@pytest.mark.parametrize("begin", [b"", b"G", HEAD])
def test_a_head_that_does_not_come_is_not_waited_for(connect, begin, monkeypatch):
    monkeypatch.setattr(Protocol, "head_s", 0.1)
    connection = connect()
    connection.sendall(begin)

    status, _, body = answer_of(connection)

    assert (status, body["code"]) == (408, "too_slow")
    assert is_closed(connection)


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http_is_a_problem(connect, junk):
    connection = connect()
    connection.sendall(junk)

    status, _, body = answer_of(connection)

    assert (status, body["code"]) == (400, "invalid_request")
    assert is_closed(connection)


def test_a_connection_goes_on_after_an_answer_and_a_slow_second_head_ends_it(connect, monkeypatch):
    monkeypatch.setattr(Protocol, "head_s", 0.3)
    connection = connect()
    for _ in range(3):
        connection.sendall(HEAD + b"\r\n")
        assert answer_of(connection)[0] == 200

    connection.sendall(b"GET")

    assert answer_of(connection)[0] == 408
    assert is_closed(connection)


def test_many_heads_of_one_connection_may_together_be_long(connect):
    connection = connect()

    for _ in range(20):
        connection.sendall(HEAD + b"X-A: " + b"x" * 4_000 + b"\r\n\r\n")
        assert answer_of(connection)[0] == 200


def test_a_connection_at_rest_is_left_alone(connect, monkeypatch):
    monkeypatch.setattr(Protocol, "head_s", 0.1)
    connection = connect()
    connection.sendall(HEAD + b"\r\n")
    answer_of(connection)

    connection.settimeout(1.0)

    with pytest.raises(TimeoutError):
        connection.recv(1)


def test_junk_in_the_middle_of_an_answer_ends_it_without_another_within(connect):
    connection = connect()
    connection.sendall(b"GET /api/v1/studies/wine/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    said = connection.recv(4096)

    connection.sendall(b"GET\r\n\r\n")
    while piece := connection.recv(4096):
        said += piece

    assert said.count(b"HTTP/1.1") == 1
