"""What is the same of every address: HEAD, OPTIONS, methods, compression, strange addresses."""

import logging
import socket
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import create_engine, text


@pytest.fixture
def database_url(sqlite):
    """Of one database: nothing here depends on which."""
    return sqlite


def test_head_is_get_without_its_body(server, given):
    given("wine", values=[0.5])
    for path in ("/studies", "/studies/wine", "/studies/wine/export", "/studies/nobody", "/version"):
        get, head = server.client.get(path), server.client.head(path)

        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert server.client.head("/version").headers["etag"] == server.client.get("/version").headers["etag"]


def test_an_address_says_which_methods_it_takes(server):
    options = server.client.options("/studies/wine")
    wrong = server.client.put("/studies/wine", json={})

    assert (options.status_code, options.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, options.headers["allow"])
    assert wrong.json()["code"] == "method_not_allowed"


def test_long_answers_are_compressed_for_who_takes_it_and_files_that_are_packed_are_not(server, given):
    given("wine", values=[0.5] * 40, trials=40)

    plain = server.client.get("/studies/wine/trials", headers={"Accept-Encoding": "identity"})
    packed = server.client.get("/studies/wine/trials", headers={"Accept-Encoding": "gzip"})
    parquet = server.client.get("/studies/wine/export?format=parquet", headers={"Accept-Encoding": "gzip"})

    assert (packed.headers["content-encoding"], packed.json()) == ("gzip", plain.json())
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.headers["etag"] == plain.headers["etag"]
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in parquet.headers


@pytest.mark.parametrize(
    "path",
    [
        "/studies/",
        "/studies/wine/",
        "/studies/wine/trials/",
        "//studies",
        "/studies/wine/trials/0:explode",
        "/%00",
    ],
)
def test_an_address_that_is_none_is_not_found(server, given, path):
    given("wine", values=[0.5])

    answer = server.client.get(path)

    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/nowhere", "/docs", "/api/v1/nowhere"])
def test_who_opens_an_address_where_nothing_is_learns_what_there_is(server, path):
    answer = httpx.get(server.url.split("/api/v1")[0] + path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "/api/v1/openapi.json" in answer.json()["detail"]


def test_a_very_long_address_is_an_answer_and_no_crash(server):
    answer = server.client.get("/studies", params={"owner": "a" * 60_000})

    assert answer.status_code in (400, 414, 422, 431)
    assert server.client.get("/studies").status_code == 200


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 99\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\nno length\r\n"]
)
def test_a_body_that_is_cut_off_is_no_fault_of_the_servers(server, caplog, waited, rest):
    caplog.set_level(logging.DEBUG, logger="hpo.api.envelope")
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(
            b"POST /api/v1/studies:validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + rest
        )

    waited(lambda: "studies:validate" in caplog.text, 10.0)

    [ours] = [record for record in caplog.records if record.name == "hpo.api.envelope"]
    assert (ours.levelname, ours.exc_info) == ("DEBUG", None)
    assert "studies:validate: 400" in ours.getMessage()


def test_a_fault_of_ours_is_a_problem_without_details_and_a_line_of_the_log(
    server, given, database_url, caplog
):
    given("wine")
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE hpo_studies SET spec = 'no JSON'"))
    engine.dispose()

    answer = server.client.get("/studies/wine", headers={"X-Request-ID": "mine"})

    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert problem["detail"] == "the server itself failed; its log has the details"
    assert (problem["code"], problem["request_id"]) == ("internal", "mine")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "GET /api/v1/studies/wine failed"
    ]
