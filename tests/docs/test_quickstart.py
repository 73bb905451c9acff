"""The quickstart: its blocks run as they stand, one after the other, and answer what the page says they answer."""

import re
import subprocess

import pytest

from tests.docs.pages import ROOT, Shell, blocks_of

PAGE = "docs/quickstart.md"
BLOCKS = blocks_of(PAGE)


def masked(text):
    """A text without its numbers, which other machines round off otherwise, and without the spaces that set columns."""
    return [re.sub(r"\d[\d.,e+-]*", "#", " ".join(line.split())) for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_block_runs_and_answers_what_the_page_shows(tmp_path, warm):
    shell, said = Shell(tmp_path, warm=warm), ""
    for block in BLOCKS:
        if block.language in ("bash", "python"):
            said = shell.run(block)
        elif block.language == "yaml":
            (shell.folder / "people.yaml").write_text(block.text)
        elif block.language == "text":
            assert set(masked(block.text)) <= set(masked(said)), f"{block.text}\nis not in\n{said}"

    assert [block.language for block in BLOCKS] == [
        *("sh", "bash", "text", "bash", "bash", "bash", "text", "python", "bash", "yaml", "bash")
    ]
    predicted = (shell.folder / "predicted.csv").read_text().splitlines()
    assert len(predicted) == 301
    assert "plotly" in (shell.folder / "flowers.html").read_text().lower()


def test_what_it_says_to_install_with_is_there():
    (block,) = [block for block in BLOCKS if block.language == "sh"]
    commands = [line.split("#")[0].strip() for line in block.text.splitlines()]

    dry = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert commands == ["make demo", ". .venv/bin/activate"]
    assert ".venv/bin/hpo run search_spaces/studies/digits.yaml" in dry
    assert (ROOT / "constraints.txt").is_file()
