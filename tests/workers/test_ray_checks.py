"""What a checkup says of a Ray cluster: asked of real heads."""

import json
import os
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import hpo
from hpo.workers.ray_checks import cluster_checks
from tests.workers.ray_heads import TOKEN, both_heads, free_port, keep

pytestmark = [pytest.mark.ray, pytest.mark.timeout(60)]

QUIET = {"ray_version": "2.60.0", "python_version": "3.11.7", "ray_init_cluster": False}
# As a head that was started without RAY_USAGE_STATS_ENABLED=0 had it.
REPORTING = (
    QUIET
    | {"git_commit": "b7f4259e944bf6959f721b106adc366ddfa0c356", "libc_version": "glibc:2.36"}
    | {"os": "linux", "session_start_timestamp_ms": 1795337222702}
)


@contextmanager
def web_server(answers):
    """The port of a web server with these answers by path, and 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers.get(self.path, (404, "404: Not Found"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


# As Ray's dashboards answer, version 2.60 without and with a token, and one that is older than tokens.
VERSION = '{"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4259", "session_name": "session_2026"}'
OPEN = {
    "/api/authentication_mode": (200, '{"authentication_mode": "disabled"}'),
    "/api/version": (200, VERSION),
}
SHUT = {
    "/api/authentication_mode": (200, '{"authentication_mode": "token"}'),
    "/api/version": (401, "Unauthorized: Missing authentication token"),
}
OLDER = {"/api/version": (200, VERSION)}


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """An open one that reports and has an open dashboard, and one with a token that does neither."""
    with ExitStack() as stack:
        addresses = [stack.enter_context(one) for one in both_heads(tmp_path_factory.mktemp("heads"))]
        port = stack.enter_context(web_server(OPEN))
        keep(addresses[0], None, "cluster", "CLUSTER_METADATA", json.dumps(REPORTING))
        keep(addresses[0], None, "dashboard", "webui:url", f"127.0.0.1:{port}")
        keep(addresses[1], TOKEN, "cluster", "CLUSTER_METADATA", json.dumps(QUIET))
        yield addresses


@pytest.fixture
def env(tmp_path):
    """An environment with a token of its own, and no Ray of this machine."""
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.touch(mode=0o600)
    file.write_text(TOKEN)
    return {"HOME": str(tmp_path), "RAY_TMPDIR": str(tmp_path)}


def checked(env, **words):
    """The checks by name."""
    return {check.name: check for check in cluster_checks(env | words, Path(env["HOME"]) / "hpo")}


def test_without_a_cluster_there_is_nothing_to_check(env):
    [check] = checked(env).values()

    assert (check.name, check.ok) == ("cluster", True)


def test_a_cluster_as_it_should_be_is_well(heads, env):
    found = checked(env, RAY_ADDRESS=heads[1])

    assert {name: check.ok for name, check in found.items()} == dict.fromkeys(
        ("cluster", "token", "reach", "dashboard", "reports"), True
    )
    assert (
        found["cluster"].found
        == f"Ray at {heads[1]} asks for a token, and takes the one in {env['HOME']}/.ray/auth_token"
    )


@pytest.mark.parametrize("mode", ["", "token", "disabled"])
def test_an_open_cluster_is_a_problem_whatever_one_has_said(heads, env, mode):
    found = checked(env, RAY_ADDRESS=heads[0], RAY_AUTH_MODE=mode)

    assert not found["cluster"].ok
    assert "is OPEN: it asks for no token" in found["cluster"].found
    assert "RAY_AUTH_MODE=token on every machine" in found["cluster"].cure


def test_an_open_cluster_of_this_machine_is_a_problem_though_nobody_has_named_it(heads, env):
    (Path(env["RAY_TMPDIR"]) / "ray").mkdir()
    written = Path(env["RAY_TMPDIR"]) / "ray" / "ray_current_cluster"

    written.write_text(heads[0])
    opened = checked(env)["cluster"]
    written.write_text(heads[1])
    (Path(env["HOME"]) / ".ray" / "auth_token").write_text("of another cluster")
    strange = checked(env)["cluster"]

    assert not opened.ok
    assert strange.ok  # somebody's, and closed to us


def test_a_cluster_that_does_not_let_us_in_is_a_problem(heads, env):
    (Path(env["HOME"]) / ".ray" / "auth_token").write_text("another")

    refused = checked(env, RAY_ADDRESS=heads[1])
    disabled = checked(env, RAY_ADDRESS=heads[1], RAY_AUTH_MODE="disabled")
    misspelt = checked(env, RAY_ADDRESS=heads[1], RAY_AUTH_MODE="tokn")
    away = checked(env, RAY_ADDRESS=f"127.0.0.1:{free_port()}")

    assert "refuses the token in" in refused["cluster"].found
    assert "reports" not in refused  # it does not tell us
    assert "RAY_AUTH_MODE=disabled shows none" in disabled["cluster"].found
    assert "must be token or disabled, got 'tokn'" in misspelt["cluster"].found
    assert "no Ray answers at" in away["cluster"].found
    assert not any(found["cluster"].ok for found in (refused, disabled, misspelt, away))


def test_a_token_that_others_can_read_is_a_problem(heads, env):
    file = Path(env["HOME"]) / ".ray" / "auth_token"
    file.chmod(0o640)  # as `ray get-auth-token --generate` leaves it with an umask of 027

    wide = checked(env, RAY_ADDRESS=heads[1])["token"]
    inherited = checked(env, RAY_ADDRESS=heads[1], RAY_AUTH_TOKEN=TOKEN)["token"]

    assert (wide.ok, wide.cure) == (False, f"chmod 600 {file}")
    assert f"{file} has mode 0640" in wide.found
    assert (inherited.ok, "RAY_AUTH_TOKEN" in inherited.found) == (False, True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_token_of_another_user_is_a_problem(heads, env):
    os.chown(Path(env["HOME"]) / ".ray" / "auth_token", 12345, -1)

    check = checked(env, RAY_ADDRESS=heads[1])["token"]

    assert not check.ok
    assert "belongs to user 12345" in check.found


def test_a_head_that_reports_its_use_is_a_problem(heads, env):
    check = checked(env, RAY_ADDRESS=heads[0])["reports"]

    assert (check.ok, check.cure) == (False, "start its head again with RAY_USAGE_STATS_ENABLED=0")


def test_a_dashboard_is_found_where_the_head_says_that_it_is(heads, env):
    check = checked(env, RAY_ADDRESS=heads[0])["dashboard"]

    assert not check.ok
    assert "WITHOUT a token: its job API runs any command" in check.found
    assert "--include-dashboard=false" in check.cure


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (SHUT, "with the token"),
        (OLDER, "WITHOUT a token"),
        ({}, None),
        ({"/api/version": (200, "<html>")}, None),
    ],
    ids=["with a token", "an older one", "no dashboard", "a page"],
)
def test_a_dashboard_is_told_from_other_servers(heads, env, monkeypatch, answers, words):
    with web_server(answers) as port:
        monkeypatch.setattr("hpo.workers.ray_checks.DASHBOARD_PORT", port)
        check = checked(env, RAY_ADDRESS=heads[1])["dashboard"]

    assert check.ok is (words is None)
    assert words is None or words in check.found


# In a network of its own, with an address of the internet: a head there, and what a checkup says.
INSIDE = """
import sys
from pathlib import Path
from hpo.workers.ray_checks import cluster_checks
from tests.workers.ray_heads import TOKEN, head
folder = Path(sys.argv[1])
with head(folder, sys.argv[2], RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN) as address:
    env = {"HOME": str(folder), "RAY_TMPDIR": str(folder), "RAY_ADDRESS": address, "RAY_AUTH_TOKEN": TOKEN}
    [reach] = [check for check in cluster_checks(env, folder) if check.name == "reach"]
    print(reach.ok, reach.found, sep="|")
"""
OF_ITS_OWN = ("unshare", "--user", "--map-root-user", "--net", "sh", "-c")


def own_network(words):
    return subprocess.run([*OF_ITS_OWN, words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("address", "ok"), [("9.9.9.9", False), ("10.1.2.3", True)])
def test_a_head_on_a_machine_of_the_internet_is_a_problem(tmp_path, monkeypatch, address, ok):
    up = f"ip link set lo up && ip addr add {address}/32 dev lo"
    if own_network(up).returncode != 0:
        pytest.skip("no networks of one's own here")
    monkeypatch.setenv("PYTHONPATH", str(Path(hpo.__file__).parents[1]))
    script = tmp_path / "inside.py"
    script.write_text(INSIDE)

    done = own_network(f"{up} && {sys.executable} {script} {tmp_path} {address}")

    assert done.returncode == 0, done.stderr
    said, found = done.stdout.strip().split("|")
    assert said == str(ok)
    assert (f"answers at {address}" in found) is not ok
