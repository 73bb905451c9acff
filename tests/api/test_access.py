"""Log lines of requests: one each, by id, without anything secret."""

import json
import logging

import httpx
import pytest

from hpo.cli.log import set_up_log


@pytest.fixture
def lines(server, capfd):
    """What is logged while requests are answered, as objects; `asked` sends one and waits for its line."""
    loggers = [logging.getLogger(name) for name in ("hpo", "uvicorn")]
    before = [(log.handlers[:], log.propagate, log.level) for log in loggers]

    def asked(path, level="info", **words):
        set_up_log(f"{level}, json")
        answer = httpx.get(f"{server.url}{path}", **words)
        httpx.get(f"{server.url}/api/v1/version")  # its line comes after the one that is waited for
        logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        return answer, [line for line in logged if line["logger"] == "hpo.api.access"]

    yield asked
    for log, (handlers, propagate, level) in zip(loggers, before, strict=True):
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


def test_a_request_is_one_line_with_the_id_of_its_answer(lines):
    answer, [line, *_] = lines("/api/v1/studies/none", headers={"X-Request-ID": "abc-123"})

    assert (line["request_id"], answer.headers["x-request-id"]) == ("abc-123", "abc-123")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/studies/none", 404)
    assert line["route"] == "/api/v1/studies/{name}"
    assert 0 < line["ms"] < 60_000


def test_a_query_and_a_key_are_not_in_the_log(lines, capfd):
    _, found = lines("/api/v1/studies?secret=hush", headers={"Authorization": "Bearer hpo_" + "a" * 43})

    assert found
    assert "hush" not in str(found)
    assert "aaaa" not in str(found)


def test_a_path_cannot_forge_a_line(lines):
    _, [line, *_] = lines("/api/v1/studies/a%0AINFO%20forged")

    assert line["path"] == "/api/v1/studies/a%0AINFO%20forged"


def test_probes_are_logged_only_for_those_who_want_everything(lines):
    _, quiet = lines("/healthz")
    _, all_of_it = lines("/healthz", level="debug")

    assert "/healthz" not in [line["path"] for line in quiet]
    assert "/healthz" in [line["path"] for line in all_of_it]
