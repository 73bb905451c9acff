"""The README: its study file is the one that is run, and its programs do what it says."""

from contextlib import closing

import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.coordinating import serving_coordinator
from hpo.testing.serving import serving
from hpo.testing.simulated_pool import SimulatedPool
from tests.docs.pages import ROOT, Block, Shell, blocks_of

PAGE = "README.md"
BLOCKS = blocks_of(PAGE)
OF_OPTUNA, OF_THE_CLIENT = (block for block in BLOCKS if block.language == "python")
STUDIES = ROOT / "search_spaces/studies"


def test_the_study_file_is_the_one_that_make_demo_runs():
    (shown,) = [block.text for block in BLOCKS if block.language == "yaml"]

    assert shown == (STUDIES / "digits.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_optuna_loads_a_study_as_it_says(tmp_path, warm):
    shell = Shell(tmp_path, warm=warm)
    shell.run(Block("bash", "hpo run --data digits --trials 4 --epochs 2 --name digits --quiet"))

    said = shell.run(Block("python", OF_OPTUNA.text.replace("/home/me/.hpo", shell.environ["HPO_HOME"])))

    assert "'learning_rate': " in said


@pytest.mark.timeout(120)
def test_the_client_submits_and_reads_as_it_says(tmp_path, sqlite, monkeypatch):
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    (tmp_path / "wine.yaml").write_text((STUDIES / "wine-named-space.yaml").read_text().replace("64", "6", 1))
    notebook = {}

    monkeypatch.chdir(tmp_path)
    with (
        closing(open_storage(sqlite)) as storage,
        serving(Site(settings=settings, storage=storage)) as address,
        serving_coordinator(storage, SimulatedPool(n_slots=2)),
    ):
        monkeypatch.setenv("HPO_SERVER", address)
        exec(OF_THE_CLIENT.text, notebook)
        table = notebook["study"].trials_frame()

    assert notebook["study"].name == "wine"
    assert len(table) == 6
