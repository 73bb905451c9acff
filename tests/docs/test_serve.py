"""The page on serving: its commands run against a server with keys, and its proxy passes on all that clients do."""

import configparser
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import hpo
from hpo.account import Role
from hpo.api.site import Site
from hpo.server.supervisor import GRACE_S
from hpo.service import keys
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.coordinating import serving_coordinator
from hpo.testing.server_program import until
from hpo.testing.serving import serving
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.studies import new_study
from tests.docs.pages import Block, Shell

ROOT = Path(hpo.__file__).parents[1]
TEXT = (ROOT / "docs/howto/serve.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
[PROXY] = re.findall(r"```nginx\n(.*?)```", TEXT, re.DOTALL)
[BEHIND] = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
[SERVICE] = re.findall(r"```ini\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_commands_of_the_page_send_a_study_with_a_key(tmp_path, sqlite, warm):
    shell = Shell(tmp_path, warm=warm, HPO_HOME=str(tmp_path))
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    with (
        closing(open_storage(sqlite)) as storage,
        serving(Site(settings=settings, storage=storage, auth=True)) as address,
        serving_coordinator(storage, SimulatedPool(n_slots=2)),
    ):
        said = [
            shell.run(Block("bash", text.replace("https://hpo.example.org", address))) for text in COMMANDS
        ]
        study = storage.get_study("flowers")

    assert len(COMMANDS) == 2
    assert (study.owner, study.n_finished) == ("ada", 16)
    assert "learning_rate" in said[1]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def proxy(folder, addresses):
    """The address of an nginx with the page's configuration: without its certificate, and before other servers."""
    port = free_port()
    text = re.sub(r" +ssl_.*\n", "", PROXY).replace("443 ssl", f"127.0.0.1:{port}")
    for written, address in zip(("127.0.0.1:8001", "127.0.0.1:8002"), addresses, strict=True):
        assert text.count(written) == 1
        text = text.replace(written, address.removeprefix("http://"))
    places = [
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder / 'pid'}; error_log {folder / 'log'};\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{' '.join(places)}\n{text}}}\n"
    )
    program = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(address) is not None or program.poll() is not None)
        yield address
    finally:
        program.terminate()
        program.wait()


def answers(address):
    try:
        return httpx.get(f"{address}/healthz")
    except httpx.TransportError:
        return None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_the_proxy_of_the_page_passes_on_requests_uploads_and_events(tmp_path, sqlite):
    allowed = dict(word.split("=") for word in BEHIND.split("\n")[0].removeprefix("export ").split())
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite} | allowed)
    storage = open_storage(sqlite)
    secret = keys.create(storage, keys.KeyOrder(owner="ada", role=Role.SUBMITTER))["secret"]
    storage.create_study(new_study("wine"))
    site = Site(settings=settings, storage=storage, auth=True, hosts=settings.allowed_hosts)
    called = {"Authorization": f"Bearer {secret}", "Host": "hpo.example.org"}
    rows = "a,b\n" + "1,2\n" * 500_000  # more than nginx passes on when it is not told to
    with (
        serving(site) as one,
        serving(replace(site)) as two,
        proxy(tmp_path, (one, two)) as address,
        httpx.Client(base_url=address, headers=called, timeout=60) as client,
    ):
        listed = [client.get("/api/v1/studies").status_code for _ in range(8)]
        uploaded = client.post(
            "/api/v1/datasets?name=two", content=rows, headers={"Content-Type": "text/csv"}
        )
        with client.stream("GET", "/api/v1/studies/wine/events") as events:
            first = next(line for line in events.iter_lines() if line.startswith("event:"))
        counted = [
            'route="/api/v1/studies"' in httpx.get(f"{each}/metrics", headers=called).text
            for each in (one, two)
        ]
        login = httpx.post(
            f"{address}/login",
            json={"key": secret},
            headers={"Host": "hpo.example.org", "Origin": "http://hpo.example.org"},
        )
        foreign = httpx.get(f"{address}/healthz", headers={"Host": "evil.example"})
    storage.close()

    assert listed == [200] * 8
    assert uploaded.status_code == 201, uploaded.text
    assert first.startswith("event: ")
    assert counted == [True, True]
    assert "HttpOnly" in login.headers["set-cookie"]
    assert foreign.status_code == 421


def test_the_service_of_systemd_names_what_there_is():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(SERVICE)

    service = unit["Service"]
    program, *words = service["ExecStart"].split()
    done = subprocess.run(
        [sys.executable, "-m", "hpo.cli.main", *words, "--help"], capture_output=True, text=True, check=True
    )

    assert (service["Type"], program.rsplit("/", 2)[1:]) == ("notify", ["bin", "hpo"])
    assert int(service["TimeoutStopSec"]) > GRACE_S
    assert all(word in done.stdout for word in words if word.startswith("--"))
