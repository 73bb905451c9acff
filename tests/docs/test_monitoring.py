"""The page on monitoring: its blocks run as they stand against a server with keys, and it names what there is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hpo
from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from tests.dashboards.files import ALERTS, GRAFANA, read_yaml

ROOT = Path(hpo.__file__).parents[1]
TEXT = (ROOT / "docs/howto/monitoring.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def run(tmp_path, sqlite):
    """Runs a block in a folder of its own, beside a server that asks for keys."""
    for name, words in {"hpo": "-m hpo.cli.main", "python": ""}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        program.chmod(0o755)
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    storage = open_storage(sqlite)
    with serving(Site(settings=settings, storage=storage, auth=True)) as address:
        known = {name: value for name, value in os.environ.items() if not name.startswith("HPO_")}
        environment = known | {
            "HPO_HOME": str(tmp_path),
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "etc": str(tmp_path / "etc"),
            "lib": str(tmp_path / "lib"),
        }

        def block(text, **more):
            words = ["bash", "-e", "-o", "pipefail", "-c", text.replace("$HPO_SERVER", address)]
            done = subprocess.run(
                words, cwd=tmp_path, env=environment | more, capture_output=True, text=True, timeout=100
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
            return done.stdout

        yield block
    storage.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_block_of_the_page_runs(run, tmp_path):
    copy, key, check, provision = BLOCKS

    run(copy)
    told = run(key)
    if shutil.which("promtool"):
        run(check)
    run(provision)

    assert f'hpo_build_info{{version="{hpo.__version__}"}} 1.0' in told
    assert (tmp_path / "prometheus/hpo-key").stat().st_mode & 0o077 == 0
    found = {
        path.relative_to(tmp_path).as_posix()
        for part in ("etc", "lib")
        for path in (tmp_path / part).rglob("*.*")
    }
    assert found == {"etc/datasources/hpo.yaml", "etc/dashboards/hpo.yaml", "lib/dashboards/hpo/board.json"}
    [provider] = read_yaml(GRAFANA / "provider.yaml")["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/hpo"  # where the page puts the board


def test_the_page_names_the_critical_alerts():
    [sentence] = re.findall(r"Critical are (.*?);", TEXT, re.DOTALL)

    assert set(re.findall(r"Hpo\w+", sentence)) == {
        name for name, rule in ALERTS.items() if rule["labels"]["severity"] == "critical"
    }
