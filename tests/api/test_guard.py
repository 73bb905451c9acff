"""The guard on a socket: what an open server refuses to web pages, what is too large, too slow, too often."""

import http.client
import json
import socket
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

VERSION = "/api/v1/version"


@pytest.fixture(scope="module")
def server():
    """An open server that all of these may attack; nothing here reaches a database."""
    storage = open_storage("memory://")
    site = Site(settings=read_settings({}), storage=storage)
    with serving(site) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
        yield SimpleNamespace(url=url, client=client, storage=storage)


def is_problem(answer, status, code):
    """An error of the guard has the shape of all others, and the id of its request."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["status"] == status
    assert body["detail"]
    return True


def raw(url, head, body=b""):
    """An answer to bytes that no HTTP library would send: status, headers and body."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers, json.loads(answer.read())


# A page on a name that its owner has pointed at 127.0.0.1 sends that name.
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0", ""],
)
def test_a_rebound_name_is_misdirected(server, host):
    assert is_problem(server.client.get("/version", headers={"Host": host}), 421, "wrong_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:9"])
def test_a_name_of_this_machine_is_its_own(server, host):
    assert server.client.get("/version", headers={"Host": host}).status_code == 200


def test_a_server_with_keys_and_names_is_called_by_those_or_by_its_address(keyed_site):
    with serving(keyed_site(hosts=("hpo.lan",))) as url:
        hosts = (
            "hpo.lan:8000",
            "10.0.0.5:8000",
            "[fe80::1]",
            "evil.example",
            "10.0.0.5.evil.example",
            "localhost",
        )
        statuses = [httpx.post(f"{url}/logout", headers={"Host": host}).status_code for host in hosts]

    assert statuses == [204, 204, 204, 421, 421, 421]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost", "https://127.0.0.1", "file://", "x"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_origin_is_refused(server, method, origin):
    answer = server.client.request(method, "/version", headers={"Origin": origin})

    assert is_problem(answer, 403, "foreign_origin")


def test_the_servers_own_pages_are_let_in(server):
    assert server.client.get("/version", headers={"Origin": server.url}).status_code == 200
    headers = {"Sec-Fetch-Site": "cross-site"}  # a link from elsewhere
    assert server.client.get("/version", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_sends_without_an_origin_is_refused(server, site):
    answer = server.client.post("/studies:validate", headers={"Sec-Fetch-Site": site})

    assert is_problem(answer, 403, "foreign_origin")


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"]
)
def test_an_open_server_answers_nobody_through_a_proxy(server, header):
    assert is_problem(server.client.get("/version", headers={header: "127.0.0.1"}), 403, "not_allowed")


# The kinds of bodies that a page may send anywhere without asking first, as the Fetch standard lists them.
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/studies", "/datasets", "/keys", "/nothing"])
def test_a_body_that_any_page_can_send_is_of_the_wrong_type(server, path, kind):
    headers = {"Content-Type": kind} if kind else {}
    answer = server.client.post(path, content=b"{}", headers=headers)

    assert is_problem(answer, 415, "wrong_media_type")
    assert server.storage.list_studies() == []


def test_a_body_in_pieces_is_of_the_wrong_type_too(server):
    answer = server.client.post(
        "/studies", content=iter([b"{", b"}"]), headers={"Content-Type": "text/plain"}
    )

    assert is_problem(answer, 415, "wrong_media_type")


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(server):
    head = b"POST /api/v1/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1048577"

    status, headers, body = raw(server.url, head)

    assert (status, body["code"]) == (413, "too_large")
    assert body["detail"].endswith("1,048,576 bytes")  # which no setting changes
    assert headers["x-request-id"] == body["request_id"]


def test_a_body_that_becomes_too_large_is_refused_while_it_comes(server):
    def pieces():
        for _ in range(32):
            yield b" " * 65_536

    answer = httpx.post(f"{server.url}/login", content=pieces(), headers={"Content-Type": "application/json"})

    assert is_problem(answer, 413, "too_large")


def test_a_body_that_stops_coming_is_too_slow(keyed_site):
    with serving(keyed_site(patience_s=0.1)) as url:
        head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100"

        status, headers, body = raw(url, head, b'{"key": ')

    assert (status, body["code"], headers["connection"]) == (408, "too_slow", "close")


@pytest.mark.parametrize(
    "headers",
    [{f"X-{i}": "x" for i in range(101)}, {"X-Long": "x" * 33_000}, {"Cookie": "a=" + "x" * 33_000}],
)
def test_too_much_head_is_refused(server, headers):
    assert is_problem(server.client.get("/version", headers=headers), 431, "headers_too_large")


@pytest.mark.parametrize(
    "twice", ["Host: evil.example", "Origin: http://evil.example\r\nOrigin: http://localhost"]
)
def test_a_header_that_says_two_things_is_refused(server, twice):
    head = f"GET {VERSION} HTTP/1.1\r\nHost: localhost\r\n{twice}".encode()

    status, _, body = raw(server.url, head)

    assert (status, body["code"]) == (400, "invalid_request")


def test_every_answer_keeps_browsers_in_bounds(server):
    for path in (f"{server.url}{VERSION}", f"{server.url}/nothing", f"{server.url}/api/v1/studies/x"):
        headers = httpx.get(path).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"]
    assert "default-src 'none'" in httpx.get(f"{server.url}{VERSION}").headers["content-security-policy"]


def test_a_request_keeps_the_id_it_came_with_unless_it_is_none(server):
    def id_of(given):
        return server.client.get("/version", headers={"X-Request-ID": given}).headers["x-request-id"]

    assert id_of("my-request.1") == "my-request.1"
    for wrong in ("a b", "x" * 65, "a\tb", "hpo_" + "x" * 43):
        assert id_of(wrong) != wrong
    assert id_of("") != id_of("")


def test_who_asks_too_often_waits_and_others_do_not(keyed_site):
    site = keyed_site(rate_limit=1)
    with serving(site) as url:
        # Two at once, then one a second.
        answers = [httpx.get(f"{url}/login") for _ in range(4)]

    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert is_problem(answers[3], 429, "too_many_requests")
    assert answers[3].headers["retry-after"] == "1"
