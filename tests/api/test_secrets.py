"""No secret of a key or a session is ever in a log, an answer or a dump of the database."""

import io
import logging
import sqlite3
import subprocess
from contextlib import closing

import pytest

from hpo.cli.log import set_up_log


@pytest.fixture
def log():
    """Everything is logged, as HPO_LOG=debug does, by our loggers and by the server's."""
    names = ("hpo", "uvicorn", "")
    before = [(logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names]
    set_up_log("debug,json")
    [handler] = logging.getLogger("hpo").handlers
    lines = io.StringIO()
    handler.setStream(lines)
    for name in ("uvicorn", ""):
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("uvicorn").handlers[:] = [handler]
    yield lines.getvalue
    for name, (handlers, level) in zip(names, before, strict=True):
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).setLevel(level)


def dump_of(url):
    """Everything in a database as text."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return "\n".join(connection.iterdump())
    command = ["pg_dump", url.replace("postgresql+psycopg", "postgresql")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_no_secret_is_logged_answered_or_dumped(keyed, database_url, log):
    made = keyed.ask("POST", "/api/v1/keys", "admin", json={"owner": "ada"}).json()
    signed_in = keyed.ask("POST", "/login", json={"key": keyed.secrets["viewer"]})
    cookie = signed_in.cookies["hpo_session"]
    secrets = [*keyed.secrets.values(), made["secret"], cookie]
    admin = keyed.secrets["admin"]

    answers = [
        keyed.ask("GET", "/api/v1/keys", "admin"),
        keyed.ask("GET", f"/api/v1/version?key={admin}"),
        keyed.ask("GET", f"/api/v1/keys?key={admin}", "viewer"),
        keyed.ask("GET", "/api/v1/version", headers={"Cookie": f"hpo_session={cookie}"}),
        keyed.ask("GET", "/api/v1/version", headers={"X-Request-ID": admin}),
        keyed.ask("POST", f"/api/v1/keys/{admin}:revoke", "admin"),
        keyed.ask("POST", "/api/v1/keys", "admin", json={"owner": admin}),
        keyed.ask("POST", "/api/v1/keys", "admin", json={"owner": "x", "role": admin}),
        keyed.ask("POST", "/login", json={"key": admin, "wrong": admin}),
    ]

    dump = dump_of(database_url)
    said = "".join(answer.text + str(answer.headers) for answer in answers)
    logged = log()
    assert "hpo_keys" in dump
    assert "POST /api/v1/keys/hpo_…:revoke: 400" in logged
    assert "GET /api/v1/version?key=hpo_…: 401" in logged
    for place in (dump, said, logged):
        assert [secret for secret in secrets if secret[4:30] in place] == []


def test_a_line_break_in_an_address_begins_no_log_line(keyed, log):
    keyed.ask("GET", "/api/v1/a%0AERROR%20hpo:%20all%20is%20lost%0D")

    assert "GET /api/v1/a\\\\nERROR hpo: all is lost\\\\r: 401" in log()
