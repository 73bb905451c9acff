"""`hpo serve` as a team uses it: real processes, a real database, and processes that are killed while studies run."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing

import httpx
import psutil
import pytest
from sqlalchemy import make_url

from hpo.storage.open import open_storage
from hpo.testing.frozen import freeze_a_worker
from hpo.testing.server_program import server_program, until

pytestmark = pytest.mark.timeout(300)

STUDY = """
name: {name}
data: {{source: digits}}
objective: {{metric: log_loss}}
trials: {trials}
epochs: {epochs}
limits: {{parallel: 4}}  # cohorts of few trials: some have finished while others train
parameters:
  learning_rate: {{low: 1e-4, high: 1e-1, log: true}}
  hidden_units: 23
"""
SIZE = {"trials": 24, "epochs": 40}
PARTS = ("api", "coordinator", "dashboard")  # the last one comes back only when somebody visits it
LOCAL = ("--pool", "local", "--workers", "2")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def storage(request):
    """The database of a server; None: the one in its home."""
    return request.getfixturevalue("postgres") if request.param == "postgres" else None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The trials of the study when nothing disturbs it and no server runs it."""
    home = tmp_path_factory.mktemp("alone")
    (home / "study.yaml").write_text(STUDY.format(name="alone", **SIZE))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HPO_")} | {"HPO_HOME": str(home)}

    def program(*words):
        command = [sys.executable, "-m", "hpo.cli.main", *words]
        return subprocess.run(command, env=environment, cwd=home, check=True, capture_output=True).stdout

    program("run", "study.yaml", "--workers", "2")
    return results_of(json.loads(program("trials", "alone", "-f", "json")))


def results_of(trials):
    """What must not depend on who trained a trial, when, and what happened meanwhile."""
    names = ("number", "state", "reason", "value", "params", "epochs", "best_epoch")
    return [{name: trial[name] for name in names} for trial in trials]


def submit(server, name="study"):
    answer = server.request(
        "POST",
        "/api/v1/studies",
        content=STUDY.format(name=name, **SIZE),
        headers={"Content-Type": "application/yaml"},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def state_of(server, name="study"):
    """A study, as soon as the server answers well."""

    def found():
        answer = server.ask(f"/studies/{name}")
        return answer.json() if answer.status_code == 200 else None

    return until(found)


def under_way(server):
    """Submit the study, and wait until some trials have finished; the worker given is stopped and keeps others."""
    frozen = freeze_a_worker(server.part("coordinator").pid)
    submit(server)
    n = until(lambda: state_of(server)["states"].get("COMPLETE"))
    assert n < SIZE["trials"]
    return frozen


def trials_once_ended(server, name="study"):
    """The trials of a study, when it has ended well."""
    ended = until(
        lambda: (s := state_of(server, name))["state"] not in ("QUEUED", "RUNNING", "STOPPING") and s
    )
    assert ended["state"] == "COMPLETED", ended["reason"]
    return server.cli("trials", name)


def test_a_study_that_came_over_rest_ends_as_if_it_had_run_alone(tmp_path, storage, undisturbed):
    with server_program(tmp_path, *LOCAL, storage=storage) as server:
        made = submit(server)

        trials = trials_once_ended(server)
        best = server.cli("best", "study")
        code = server.end()

    assert made["state"] == "QUEUED"
    assert results_of(trials) == undisturbed
    assert best["value"] == min(trial["value"] for trial in undisturbed)
    assert best["test"]["scored"] == 1
    assert code == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.ray
def test_so_it_does_on_ray_which_is_the_default(tmp_path, undisturbed):
    with server_program(tmp_path, "--workers", "2") as server:
        submit(server)

        trials = trials_once_ended(server)
        processes = server.processes()
        code = server.end()

    assert results_of(trials) == undisturbed
    assert code == 0
    assert psutil.wait_procs(processes[1:], timeout=10)[1] == []


@pytest.mark.postgres
def test_parts_that_are_killed_while_a_study_runs_come_back_and_change_nothing(
    tmp_path, postgres, undisturbed
):
    with server_program(tmp_path, *LOCAL, storage=postgres) as server:
        assert server.request("GET", "/dashboard").status_code == 200
        frozen = under_way(server)

        killed = []
        for name in PARTS:
            others = [server.part(other) for other in PARTS if other != name]
            killed.append(server.kill(name))
            assert all(other.is_running() for other in others)
        alive = server.request("GET", "/healthz").status_code
        page = server.request("GET", "/dashboard")

        trials = trials_once_ended(server)
        new = [server.part(name).pid for name in PARTS]
        code = server.end()

    assert (alive, page.status_code) == (200, 200)
    assert not set(killed) & set(new)
    assert not frozen.is_running()
    assert results_of(trials) == undisturbed
    assert code == 0


def test_a_server_that_is_stopped_in_the_middle_goes_on_when_it_is_started_again(tmp_path, undisturbed):
    with server_program(tmp_path, *LOCAL) as server:
        under_way(server)
        processes = server.processes()
        code = server.end()
    left = [process for process in processes if process.is_running()]
    with closing(open_storage(f"sqlite:///{tmp_path / 'hpo.db'}")) as opened:
        before = opened.get_study("study")
    with server_program(tmp_path, *LOCAL) as server:
        trials = trials_once_ended(server)
        server.end()

    assert (code, left) == (0, [])
    assert before.state == "QUEUED"
    assert 0 < before.n_finished < SIZE["trials"]
    assert results_of(trials) == undisturbed


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path):
    with server_program(tmp_path, *LOCAL) as server:
        under_way(server)
        server.request("GET", "/dashboard")
        processes = server.processes()

        server.program.kill()

        left = psutil.wait_procs(processes[1:], timeout=10)[1]

    assert len(processes) >= 6  # supervisor, API, coordinator, dashboard, two workers
    assert left == []


def test_a_server_without_its_database_waits_for_it_and_then_works(tmp_path, postgres):
    there = make_url(postgres)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))  # taken, and nobody listens: the database is away
        storage = there.set(host="127.0.0.1", port=door.getsockname()[1]).render_as_string(
            hide_password=False
        )
        with server_program(tmp_path, *LOCAL, "--port", str(_free_port()), storage=storage) as server:
            url = until(lambda: _address_in(server.log))
            away = until(lambda: _answer(f"{url}/readyz"))
            submitted = until(lambda: _answer(f"{url}/api/v1/studies"))
            pids = [server.part(name).pid for name in ("api", "coordinator")]
            door.listen()
            threading.Thread(target=_forward, args=(door, there.host, there.port), daemon=True).start()
            submit(server)
            trials_once_ended(server)
            after = [server.part(name).pid for name in ("api", "coordinator")]
            ready = server.request("GET", "/readyz").json()["status"]
            server.end()

    assert (away.status_code, submitted.status_code) == (503, 503)
    assert int(submitted.headers["retry-after"]) > 0
    assert ready == "ready"
    assert pids == after


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _address_in(log):
    """The address that the server says when it starts."""
    words = log.read_text().split()
    return words[words.index("serves") + 1] if "serves" in words else None


def _answer(url):
    try:
        return httpx.get(url, timeout=30)
    except httpx.TransportError:
        return None


def _forward(door, host, port):
    """Hand each connection on to a server."""

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    while True:
        try:
            near, _ = door.accept()
        except OSError:
            return
        far = socket.create_connection((host, port))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def test_each_part_runs_alone_and_several_apis_serve_beside_one_coordinator(tmp_path):
    with (
        server_program(tmp_path / "home", "--only", "dashboard") as dashboard,
        server_program(tmp_path / "home", "--only", "coordinator", *LOCAL),
    ):
        address = dashboard.url.removeprefix("http://")
        with (
            server_program(tmp_path / "home", "--only", "api") as first,
            server_program(tmp_path / "home", "--only", "api", HPO_DASHBOARD=address) as second,
        ):
            submit(first)
            trials = trials_once_ended(second)
            page = second.request("GET", "/dashboard")
            codes = [first.end(), second.end(signal.SIGINT)]

    assert len(trials) == SIZE["trials"]
    assert (page.status_code, codes) == (200, [0, 130])
