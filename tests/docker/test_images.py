"""The images, built and run as docker/compose.yaml says: nobody is root, and a study outlives a worker. `make images` runs it."""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hpo.testing.server_program import until
from tests.docker.composing import ROOT, compose
from tests.docker.engine import PACKAGES, Engine, missing

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]

N_TRIALS = 4096
STUDY = {
    "name": "digits",
    "data": "digits",
    "trials": N_TRIALS,
    "epochs": 20,
    "parameters": {"learning_rate": {"low": 1e-3, "high": 0.1, "log": True}, "hidden_units": [16, 32, 64]},
}
FOUND = "import importlib.util as u; print([n for n in ('torch', 'ray') if u.find_spec(n)])"
JOINED = "import ray; ray.init(address='head:6379', log_to_driver=False); print(len(ray.nodes()), 'nodes')"
ASK = """
import sys, httpx
method, url, key, body = sys.argv[1:]
said = {"authorization": f"Bearer {key}", "content-type": "application/json"}
print(httpx.request(method, url, headers=said, content=body, timeout=60).raise_for_status().text)
"""
CENSUS = "SELECT count(*), count(DISTINCT number), min(number), max(number), string_agg(DISTINCT state::text, ' ') FROM trials"


@pytest.fixture(scope="module")
def engine():
    if os.getuid() != 0:
        pytest.skip("only root builds images here")
    if absent := missing():
        pytest.skip(f"no {', '.join(absent)} on this machine; Debian has them: apt-get install {PACKAGES}")
    folder = Path(tempfile.gettempdir()) / "hpo-images"
    found = Engine(folder)
    found.make_base()
    here = ROOT / "tests/docker"
    found.build("docker.io/library/postgres:17-bookworm", here / "postgres.Dockerfile", here)
    for name in ("api", "worker"):
        words = as_pip_does_here(folder / "pip.conf")
        found.build(f"docker.io/library/hpo-{name}", ROOT / f"docker/{name}.Dockerfile", ROOT, *words)
    return found


def as_pip_does_here(conf):
    """What tells a builder to find packages as this machine does, where it has a folder of wheels of its own."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text, words = (
        "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n",
        [f"--volume={conf}:/etc/pip.conf:ro"],
    )
    if wheels := re.search(r"find-links='(/[^' ]+)'", said):
        text += f"find-links = {wheels[1]}\n"
        words += [f"--volume={wheels[1]}:{wheels[1]}:ro", f"--build-arg=TORCH_INDEX=file://{wheels[1]}"]
    conf.write_text(text)
    return words


@pytest.fixture(scope="module")
def cluster(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    for name in ("database_password", "ray_token"):
        (folder / name).write_text(secrets.token_hex(32))
        (folder / name).chmod(0o444)
    with engine.sandbox() as sandbox:
        environ = os.environ | {"DOCKER_HOST": sandbox.url, "SECRETS": str(folder), "WORKER_CPUS": "1"}
        up = [*compose(folder), "up", "--no-build", "--detach", "--scale", "worker=2"]
        done = subprocess.run(up, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        yield sandbox


def names_of(cluster, service):
    """The containers of a service."""
    labels = {name: found["Config"]["Labels"] for name, found in cluster.containers().items()}
    return sorted(name for name in labels if labels[name]["com.docker.compose.service"] == service)


def test_every_container_becomes_healthy(cluster):
    def states():
        found = {name: container["State"] for name, container in cluster.containers().items()}
        return {
            name: state.get("Health", state.get("Healthcheck"))["Status"] for name, state in found.items()
        }

    until(lambda: set(states().values()) == {"healthy"})

    assert len(states()) == 6


def test_nobody_is_root_has_a_capability_or_writes_an_image(cluster):
    for name in cluster.containers():
        user = cluster.inside(name, "id", "--user").stdout
        written = cluster.inside(name, "touch", "/written").stderr
        status = dict(
            line.split(":\t")
            for line in cluster.inside(name, "cat", "/proc/self/status").stdout.splitlines()
            if ":\t" in line
        )

        assert int(user) > 0, name
        assert "Read-only file system" in written, name
        assert (status["CapBnd"], status["CapEff"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1"), name


def test_the_api_has_neither_torch_nor_ray(cluster):
    found = {
        service: cluster.inside(*names_of(cluster, service)[:1], "python", "-c", FOUND).stdout.strip()
        for service in ("api", "worker")
    }

    assert found == {"api": "[]", "worker": "['torch', 'ray']"}


def test_only_the_api_has_a_way_out(cluster):
    routes = {name: cluster.inside(name, "cat", "/proc/net/route").stdout for name in cluster.containers()}

    with_default = [
        name for name, table in routes.items() if re.search(r"^\S+\t00000000\t", table, re.MULTILINE)
    ]

    assert with_default == names_of(cluster, "api")


def test_only_who_has_the_token_is_let_into_ray(cluster):
    (head,) = names_of(cluster, "head")

    member = cluster.inside(head, "python", "-c", JOINED)
    stranger = cluster.inside(head, "python", "-c", JOINED, RAY_AUTH_TOKEN="0" * 64)

    assert member.stdout.endswith("4 nodes\n"), member.stderr
    assert stranger.returncode != 0
    assert "token" in stranger.stderr


def test_a_study_outlives_a_worker_and_has_every_trial_once(cluster):
    secret = cluster.inside(*names_of(cluster, "api"), "hpo", "keys", "create", "ada").stdout.strip()

    def ask(method, path, body=""):
        done = cluster.beside(
            sys.executable, "-c", ASK, method, f"http://127.0.0.1:8000/api/v1{path}", secret, body
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    ask("POST", "/studies", json.dumps(STUDY))
    until(lambda: ask("GET", "/studies/digits")["n_finished"] > 0)

    cluster.remove(names_of(cluster, "worker")[-1])

    left = N_TRIALS - ask("GET", "/studies/digits")["n_finished"]
    state = until(
        lambda: (found := ask("GET", "/studies/digits")["state"]) in ("COMPLETED", "FAILED") and found,
        patience_s=600.0,  # one core for all of it, which others of this machine may use, too
    )
    (database,) = names_of(cluster, "database")
    census = cluster.inside(
        database, "psql", "--username=hpo", "--tuples-only", "--no-align", f"--command={CENSUS}"
    )
    assert left > 0
    assert state == "COMPLETED"
    assert census.stdout.strip() == f"{N_TRIALS}|{N_TRIALS}|0|{N_TRIALS - 1}|COMPLETE"
    assert len(names_of(cluster, "worker")) == 1
