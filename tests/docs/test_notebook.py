"""The page on notebooks: its blocks run as they stand, in one notebook, with a server and its coordinator."""

import re
import threading
from contextlib import closing
from pathlib import Path

import pytest

import hpo
from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.coordinating import serving_coordinator
from hpo.testing.serving import serving
from hpo.testing.simulated_pool import SimulatedPool

PAGE = Path(hpo.__file__).parents[1] / "docs/howto/notebook.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.timeout(180)
def test_every_block_of_the_page_runs(tmp_path, sqlite, monkeypatch, capsys):
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    notebook, changed = {}, threading.Event()

    def hold():
        """The page cancels its second study, so that one does not train before the block is over."""
        if any(study.name == "flowers-wide" for study in storage.list_studies()):
            changed.wait(30.0)

    monkeypatch.chdir(tmp_path)
    with (
        closing(open_storage(sqlite)) as storage,
        serving(Site(settings=settings, storage=storage)) as address,
        serving_coordinator(storage, SimulatedPool(n_slots=2, each_poll=hold)),
    ):
        monkeypatch.setenv("HPO_SERVER", address)
        for block in BLOCKS:
            exec(block, notebook)
            if "wider.cancel()" in block:
                changed.set()
        notebook["client"].close()

    said = capsys.readouterr().out
    assert len(BLOCKS) == 6
    assert len(notebook["table"]) == 6
    assert notebook["study"].name == "flowers"
    assert said.splitlines()[-1] == "trials: must be >= 1, got 0"
    assert len([line for line in said.splitlines() if " COMPLETE " in line]) == 7
    assert (tmp_path / "flowers.parquet").read_bytes()[:4] == b"PAR1"
