"""The Optuna dashboard behind the API: the real one, unpatched, and a fake one that shows what reaches it."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import hpo
from hpo.api import dashboard as proxy
from hpo.server import sockets
from hpo.states import StudyState
from hpo.storage.open import address_of
from hpo.testing.serving import serving
from hpo.testing.studies import finished

pytestmark = pytest.mark.timeout(120)

_RUN = """
import sys
from hpo.server import sockets
from hpo.server.dashboard import run_dashboard
idle_s = float(sys.argv[2]) if len(sys.argv) > 2 else None
run_dashboard(sys.argv[1], sockets.inherited(), ready=lambda: print("ready", flush=True), idle_s=idle_s)
"""


@pytest.fixture
def database_url(sqlite):
    """Of one database: nothing here depends on which."""
    return sqlite


@pytest.fixture
def behind(server):
    """A server in front of a dashboard at some address: its client."""
    opened = []

    def begin(address, **settings):
        site = replace(server.site, dashboard=address, settings=replace(server.site.settings, **settings))
        context = serving(site)
        opened.append(context)
        return httpx.Client(base_url=context.__enter__(), timeout=60)

    yield begin
    for context in opened:
        context.__exit__(None, None, None)


@contextmanager
def dashboard(*words):
    """The real dashboard, in a process of its own: the process, once it answers, and its address."""
    listening, address = sockets.listen_privately()
    environment = os.environ | {
        "PYTHONPATH": str(Path(hpo.__file__).parents[1]),
        sockets.VARIABLE: str(listening.fileno()),
    }
    command = [sys.executable, "-c", _RUN, *words]
    with subprocess.Popen(
        command, env=environment, pass_fds=[listening.fileno()], stdout=subprocess.PIPE, text=True
    ) as program:
        listening.close()
        try:
            program.stdout.readline()
            yield program, address
        finally:
            program.kill()
    sockets.remove_private(address)


@pytest.fixture
def real(server, database_url):
    """The address of the real dashboard, with one study to show."""
    server.storage.release(finished(server.storage, [0.5, 0.25]), StudyState.COMPLETED)
    with dashboard(address_of(database_url)) as (_, address):
        yield address


def test_a_dashboard_ends_when_it_is_asked_to(server, database_url):
    with dashboard(address_of(database_url)) as (program, _):
        program.terminate()
        code = program.wait(30)

    assert code == 0


def test_a_dashboard_ends_when_nobody_has_come_for_long_and_not_before(server, behind, database_url):
    with dashboard(address_of(database_url), "2.0") as (program, address):
        client = behind(address)
        began = time.monotonic()
        while time.monotonic() - began < 4.0:
            assert client.get("/dashboard").status_code == 200
        code = program.wait(30)

    assert code == 0


def test_the_page_of_the_real_dashboard_and_all_it_asks_for_come_through(behind, real):
    client = behind(real)

    page = client.get("/dashboard")
    bundle = client.get("/static/bundle.js", headers={"Accept-Encoding": "identity"})
    [summary] = client.get("/api/studies").json()["study_summaries"]
    study = client.get(f"/api/studies/{summary['study_id']}").json()
    table = client.get(f"/csv/{summary['study_id']}")

    assert "<title>Optuna Dashboard</title>" in page.text
    assert len(bundle.content) == int(bundle.headers["content-length"]) > 1_000_000
    assert summary["study_name"] == "wine"
    assert [trial["values"] for trial in study["trials"]] == [[0.5], [0.25]]
    assert table.text.splitlines()[1].startswith("0,")
    assert client.get("/dashboard/studies/1").status_code == 200


def test_the_real_dashboard_only_shows(behind, real, server):
    client = behind(real)
    [summary] = client.get("/api/studies").json()["study_summaries"]
    path = f"/api/studies/{summary['study_id']}"

    answers = [
        client.delete(path),
        client.post(f"{path}/rename", json={"study_name": "mine"}),
        client.put(f"{path}/note", json={"body": "x", "version": 1}),
        client.post("/api/trials/1/tell", json={"state": "COMPLETE", "values": [1]}),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "not_allowed")}
    assert "HPO_DASHBOARD_WRITE" in answers[0].json()["detail"]
    assert server.storage.get_study("wine").state is StudyState.COMPLETED


def test_the_real_dashboard_changes_studies_where_that_is_allowed(behind, real, server):
    client = behind(real, dashboard_write=proxy.Role.SUBMITTER)
    [summary] = client.get("/api/studies").json()["study_summaries"]

    answer = client.put(f"/api/studies/{summary['study_id']}/note", json={"body": "seen", "version": 1})
    study = client.get(f"/api/studies/{summary['study_id']}").json()

    assert answer.status_code < 300
    assert study["note"]["body"] == "seen"


def test_what_begins_like_our_api_never_reaches_the_dashboard(behind, real):
    client = behind(real)

    answers = [client.get("/api/v1/studies/1/nothing"), client.get("/api/v1"), client.get("/api/v1/nothing")]
    wrong_method = client.post("/api/v1/version", json={})

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 3
    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, "method_not_allowed")


class Fake:
    """A dashboard that keeps what it was asked and answers what a test wants."""

    def __init__(self):
        self.asked, self.status, self.headers, self.body = [], 200, {}, b"seen"
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                size = int(self.headers.get("content-length") or 0)
                fake.asked.append(
                    (
                        self.command,
                        self.path,
                        {name.lower(): value for name, value in self.headers.items()},
                        self.rfile.read(size),
                    )
                )
                self.send_response(fake.status)
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(fake.body)

            do_PUT = do_GET  # noqa: N815 - http.server asks for it

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def fake():
    found = Fake()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_nothing_that_says_who_asks_reaches_the_dashboard(behind, fake):
    client = behind(fake.address)
    secret = {
        "Authorization": "Bearer hpo_secret",
        "Cookie": "hpo_session=secret",
        "X-Api-Key": "secret",
        "Connection": "X-Private",
        "X-Private": "secret",
        "Accept-Language": "de",
    }

    client.get("/api/studies?a=1&b=%2F", headers=secret)

    [(_, path, headers, _)] = fake.asked
    assert path == "/api/studies?a=1&b=%2F"
    assert headers.pop("host") == fake.address
    assert headers["accept-language"] == "de"
    assert "secret" not in str(headers)


def test_of_the_dashboards_answer_only_what_a_page_needs_comes_back(behind, fake):
    fake.headers = {
        "Set-Cookie": "a=b",
        "X-Powered-By": "bottle",
        "Content-Type": "text/plain",
        "ETag": '"1"',
    }
    client = behind(fake.address)

    answer = client.get("/dashboard")

    assert answer.text == "seen"
    assert (answer.headers["content-type"], answer.headers["etag"]) == ("text/plain", '"1"')
    assert not {"set-cookie", "x-powered-by"} & set(answer.headers)


def test_a_redirect_of_the_dashboard_stays_on_our_host(behind, fake):
    fake.status, fake.headers = 302, {"Location": f"http://{fake.address}/dashboard?x=1"}
    client = behind(fake.address)

    answer = client.get("/dashboard/old", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (302, "/dashboard?x=1")

    fake.headers = {"Location": "http://dashboard//evil.example/x"}
    answer = client.get("/dashboard/old", follow_redirects=False)

    assert answer.headers["location"] == "/evil.example/x"


def test_a_cookie_that_the_dashboard_gives_one_visitor_is_sent_for_nobody(behind, fake):
    fake.headers = {"Set-Cookie": "session=of-ann; Path=/"}
    client = behind(fake.address)

    for _ in range(2):
        client.get("/dashboard")

    assert ["cookie" in headers for _, _, headers, _ in fake.asked] == [False, False]


def test_a_body_passes_whole_and_not_when_it_is_huge(behind, fake):
    client = behind(fake.address, dashboard_write=proxy.Role.ADMIN)

    passed = client.put("/api/studies/1/note", json={"body": "x"})
    refused = client.put("/api/studies/1/note", json={"body": "x" * proxy.MAX_BODY_BYTES})

    assert passed.status_code == 200
    assert [(method, body) for method, _, _, body in fake.asked] == [("PUT", b'{"body":"x"}')]
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")


def test_a_dashboard_that_is_away_is_a_problem(behind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    client = behind(address)

    answer = client.get("/dashboard")

    assert (answer.status_code, answer.json()["code"]) == (502, "dashboard_away")


def test_a_dashboard_that_does_not_answer_in_time_is_a_problem(behind, monkeypatch):
    monkeypatch.setattr(proxy, "READ_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = behind(f"127.0.0.1:{silent.getsockname()[1]}")

        answer = client.get("/dashboard")

    assert (answer.status_code, answer.json()["code"]) == (504, "dashboard_slow")


def test_without_a_dashboard_it_is_said_how_to_have_one(server):
    answer = httpx.get(f"{server.url}/dashboard")

    assert (answer.status_code, answer.json()["code"]) == (404, "dashboard_missing")
    assert "pip install 'hpo[dashboard]'" in answer.json()["detail"]
