"""The page on models: its blocks run as they stand, one after the other."""

import pytest

from hpo.models import load_folder
from tests.docs.pages import Shell, blocks_of

PAGE = "docs/howto/use-a-model.md"
BLOCKS = blocks_of(PAGE)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_every_block_of_the_page_runs(tmp_path, warm):
    shell = Shell(tmp_path, warm=warm)

    for block in BLOCKS:
        shell.run(block)

    assert [block.language for block in BLOCKS] == ["bash", "bash", "python", "python", "bash"]
    lines = (shell.folder / "predicted.csv").read_text().splitlines()
    assert lines[0] == "prediction,p_setosa,p_versicolor,p_virginica"
    assert [line.split(",")[0] for line in lines[1:]] == ["setosa", "virginica"]
    assert load_folder(shell.folder / "third").about["trial"] == 3
