"""The page on external trainers: its code does what it says, against a server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

PAGE = Path(__file__).parents[2] / "docs/howto/external-trainer.md"
BLOCKS = dict(re.findall(r"```(yaml|python|bash)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.fixture
def server(tmp_path, sqlite):
    """The URL of a server, its database, and a folder with the page's files."""
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    storage = open_storage(sqlite)
    (tmp_path / "cache.yaml").write_text(BLOCKS["yaml"])
    with serving(Site(settings=settings, storage=storage)) as address:
        yield address, storage, tmp_path
    storage.close()


def run(command, server, text):
    address, _, folder = server
    environment = {**os.environ, "HPO_SERVER": address}
    environment.pop("HPO_API_KEY", None)
    done = subprocess.run(
        command, input=text, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_calls_of_curl_train_a_trial_and_the_python_program_the_others(server):
    _, storage, _ = server

    said = run(["bash", "-e"], server, BLOCKS["bash"])

    assert '"number":0' in said
    assert storage.get_trial("cache", 0).value == 33.0

    run([sys.executable, "-"], server, BLOCKS["python"])

    study = storage.get_study("cache")
    assert study.state is StudyState.COMPLETED
    assert study.n_finished == 24
    assert study.counts[TrialState.PRUNED] > 0
    assert study.counts[TrialState.FAIL] == 0
