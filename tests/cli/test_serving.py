"""The verb serve: what it refuses, each with its cure, and what it says when it starts and ends."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

import hpo as package
from hpo.cli.output import Format
from hpo.cli.running import PoolChoice
from hpo.cli.serving_start import ServeOptions, look_at_cluster, say_pool_starts
from hpo.server import plan, sockets
from hpo.settings import read_settings
from hpo.testing.server_program import server_program
from tests.workers.ray_heads import free_port, head

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("only", [[], ["--only", "api"]])
def test_a_taken_port_is_told_with_the_cure(hpo, home, only):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, out, err = hpo("serve", *only, "--port", str(port))

    assert (code, out) == (1, "")
    assert err == (
        f"error: --port: port {port} of 127.0.0.1 is taken by another program; "
        "choose another one, or 0 for any that is free\n"
    )
    assert not home.exists()


def test_an_address_that_is_none_is_told(hpo):
    code, _, err = hpo("serve", "--host", "192.0.2.1")

    assert code == 1
    assert "--host: 192.0.2.1 is no address of this machine" in err


def test_a_server_that_others_reach_does_not_start_without_keys(hpo, monkeypatch):
    monkeypatch.setenv("HPO_AUTH", "off")

    code, _, err = hpo("serve", "--host", "0.0.0.0", "--port", "0")

    assert code == 2
    assert "error: HPO_AUTH: off is for a server that only this machine reaches" in err


@pytest.mark.ray
def test_a_server_that_others_reach_does_not_start_on_an_open_cluster(hpo, home, tmp_path, monkeypatch):
    with head(tmp_path) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)

        code, _, err = hpo("serve", "--host", "0.0.0.0", "--port", "0")

    assert code == 2
    assert f"error: RAY_ADDRESS: the Ray cluster at {address} is OPEN" in err
    assert "or set RAY_AUTH_MODE=disabled" in err
    assert not home.exists()


@pytest.mark.ray
@pytest.mark.parametrize(("host", "mode"), [("127.0.0.1", ""), ("0.0.0.0", "disabled")])
def test_an_open_cluster_is_served_here_or_when_that_is_meant(hpo, tmp_path, monkeypatch, host, mode):
    monkeypatch.setenv("HPO_STORAGE", "memory://")  # what it would refuse next
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with head(tmp_path) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)

        code, _, err = hpo("serve", "--host", host, "--port", "0")

    assert (code, "memory://" in err) == (2, True)


def test_a_cluster_that_comes_later_is_not_joined_open_by_a_server_that_others_reach(tmp_path):
    away = f"127.0.0.1:{free_port()}"

    with server_program(tmp_path, "--host", "0.0.0.0", "--pool", "ray", RAY_ADDRESS=away) as server:
        told = {name: server.part(name).environ().get("RAY_AUTH_MODE") for name in ("api", "coordinator")}

    assert told == {"api": os.environ.get("RAY_AUTH_MODE"), "coordinator": "token"}


@pytest.mark.parametrize(
    ("host", "mode", "told"),
    [
        ("0.0.0.0", "", {"RAY_AUTH_MODE": "token"}),
        ("0.0.0.0", "disabled", {}),  # it is meant
        ("127.0.0.1", "", {}),  # it is warned of
    ],
)
def test_the_word_of_whoever_serves_goes_before(monkeypatch, host, mode, told):
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    settings = read_settings({"RAY_ADDRESS": f"127.0.0.1:{free_port()}"})
    how = {"port": 0, "workers": None, "format": Format.TABLE, "quiet": True, "child": False}

    assert look_at_cluster(settings, ServeOptions(host=host, pool=PoolChoice.RAY, **how)) == told


def test_memory_cannot_be_served(hpo, monkeypatch):
    monkeypatch.setenv("HPO_STORAGE", "memory://")

    code, _, err = hpo("serve", "--port", "0")

    assert (code, "HPO_STORAGE: a server's processes cannot share memory://" in err) == (2, True)


def test_a_newer_database_stops_the_start_and_not_the_children(hpo, database, home):
    with database():
        pass
    with closing(sqlite3.connect(home / "hpo.db")) as connection, connection:
        connection.execute("UPDATE hpo_alembic_version SET version_num = '9999'")

    code, _, err = hpo("serve", "--port", "0")

    assert (code, "was written by a newer hpo" in err) == (1, True)


def test_a_strange_address_of_the_dashboard_stops_the_start(hpo, monkeypatch):
    monkeypatch.setenv("HPO_DASHBOARD", "nowhere")

    code, _, err = hpo("serve", "--port", "0")

    assert (code, "HPO_DASHBOARD: must be host:port or unix:/path" in err) == (2, True)


def test_the_dashboard_alone_listens_on_this_machine_only(hpo):
    code, _, err = hpo("serve", "--only", "dashboard", "--host", "0.0.0.0")

    assert (code, "--host: the Optuna dashboard asks for no keys" in err) == (2, True)


def test_a_dashboard_that_is_not_installed_is_told_with_the_cure(hpo, monkeypatch):
    monkeypatch.setattr(plan, "find_spec", lambda name: None)

    code, _, err = hpo("serve", "--only", "dashboard", "--port", "0")

    assert (code, "pip install 'hpo[dashboard]'" in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--workers", "0"], "--workers: must be at least 1"),
        (["--port", "65536"], "--port"),
        (["--only", "web"], "--only: must be one of"),
        (["--pool", "dask"], "--pool: must be one of"),
    ],
)
def test_words_that_do_not_fit_are_usage_errors(hpo, words, sentence):
    code, out, err = hpo("serve", *words)

    assert (code, out) == (2, "")
    assert sentence in err


@pytest.fixture
def serving(home):
    """Starts `hpo serve` as a program; gives it and what it says when it is ready."""
    begun = []

    def start(*words, **environment):
        known = os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])} | environment
        program = subprocess.Popen(
            [sys.executable, "-m", "hpo.cli.main", "serve", "--port", "0", "--pool", "local", *words],
            env=known,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(program)
        return program

    yield start
    for program in begun:
        program.kill()
        program.communicate()


def record_of(program):
    """The record that `-f json` prints when the server is ready."""
    lines = []
    for line in program.stdout:
        lines.append(line)
        if line == "}\n":
            break
    return json.loads("".join(lines))


def test_a_server_says_where_it_is_and_ends_well_when_asked(serving, home):
    program = serving("--workers", "1", "-f", "json")
    found = record_of(program)
    children = psutil.Process(program.pid).children(recursive=True)

    program.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, told = program.communicate(timeout=30)

    assert (program.returncode, time.monotonic() - began < 15) == (0, True)
    assert found["url"].startswith("http://127.0.0.1:")
    assert found["dashboard"] == f"{found['url']}/dashboard"
    assert (found["auth"], found["pool"]) == (False, "local, 1 worker")
    assert found["database"] == f"sqlite:///{home / 'hpo.db'}"
    assert f"hpo submit STUDY.yaml --server {found['url']}" in told
    assert "stopped; studies that were running go on" in told
    assert "Traceback" not in told
    assert len(children) >= 3  # API, coordinator, worker
    assert psutil.wait_procs(children, timeout=5)[1] == []


def test_a_server_on_every_address_says_where_others_reach_it(serving):
    program = serving("--workers", "1", "-f", "json", "--host", "0.0.0.0")
    found = record_of(program)
    program.send_signal(signal.SIGTERM)
    _, told = program.communicate(timeout=30)

    port = found["url"].rpartition(":")[2]
    there = f"http://{socket.gethostname()}:{port}, or any address of this machine"
    assert (found["url"], found["elsewhere"]) == (f"http://127.0.0.1:{port}", there)
    assert there in told


@pytest.mark.parametrize(
    ("pool", "address", "said"),
    [
        (PoolChoice.LOCAL, None, ""),
        (PoolChoice.RAY, None, "starting Ray, which may take half a minute …\n"),
        (PoolChoice.AUTO, "10.0.0.7:6379", "connecting with Ray, which may take half a minute …\n"),
    ],
)
def test_what_takes_long_is_said_beforehand(capsys, pool, address, said):
    settings = read_settings({"RAY_ADDRESS": address} if address else {})
    how = {"host": "127.0.0.1", "port": 0, "workers": None, "format": Format.TABLE, "child": False}

    say_pool_starts(settings, ServeOptions(pool=pool, quiet=False, **how))
    say_pool_starts(settings, ServeOptions(pool=pool, quiet=True, **how))

    assert capsys.readouterr().err == said


def test_ctrl_c_ends_it_with_the_code_of_an_interruption(serving):
    program = serving("--workers", "1", "-f", "json", "--quiet")
    record_of(program)

    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=30)

    assert (program.returncode, told) == (130, "")


def test_a_service_manager_is_told_when_it_is_ready_and_when_it_ends(serving, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        listening, address = sockets.listen_privately()
        listening.close()
        sockets.remove_private(address)
        path = address.removeprefix("unix:").replace("/dashboard", "")
        manager.bind(path)
        manager.settimeout(60)
        program = serving("--workers", "1", NOTIFY_SOCKET=path)
        first = manager.recv(64)
        program.send_signal(signal.SIGTERM)
        second = manager.recv(64)
    Path(path).unlink()

    assert (first, second) == (b"READY=1", b"STOPPING=1")


def test_the_password_of_a_database_is_not_said(serving):
    program = serving("--workers", "1", HPO_STORAGE="postgresql+psycopg://me:hush@127.0.0.1:1/none")
    said = []

    for line in program.stderr:
        said.append(line)
        if "submit " in line:
            break

    assert any("postgresql+psycopg://me:…@127.0.0.1:1/none" in line for line in said)
    assert not any("hush" in line for line in said)
    assert any(line.startswith("waiting for the database") for line in said)
