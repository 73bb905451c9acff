"""The how-to on tables: its blocks run as they stand, and say what the page says they say."""

import subprocess

import pytest

from hpo.storage.open import open_storage
from tests.docs.pages import Block, Shell, blocks_of, text_of

PAGE = "docs/howto/own-table.md"


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_every_block_of_the_page_runs(tmp_path, warm):
    shell, said = Shell(tmp_path, warm=warm), []
    for block in blocks_of(PAGE):
        if block.language == "yaml":
            (shell.folder / "patients.yaml").write_text(block.text)
        else:
            said.append(shell.run(block))

    storage = open_storage(f"sqlite:///{tmp_path / 'home' / 'hpo.db'}")
    studies = {study.name: study.state.value for study in storage.list_studies()}
    storage.close()
    assert studies == dict.fromkeys(("patients", "patients-folds", "arrays"), "COMPLETED")
    assert "patients" in said[-1]

    assert said[1] == "exit code 2\n"
    refused = subprocess.run(
        ["hpo", "data", "show", "patients.csv", "--target", "outcome"],
        cwd=shell.folder,
        env=shell.environ,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2
    assert "column 'id' has 400 different texts in 400 rows, which looks like an identifier" in refused.stderr
    assert "column 'id' has 400 different texts in 400 rows, which looks like an identifier" in text_of(PAGE)

    shown = shell.run(
        Block(
            "bash", "hpo validate patients.yaml --quiet -f json; hpo show patients -f json | head -c 100000"
        )
    )
    assert "balanced_accuracy" in shown
