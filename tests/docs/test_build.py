"""What `make docs` writes: every page there is of a generator is in the list, and the notebook is its page."""

import json

from tests.docs.pages import ROOT, blocks_of, build

NOTEBOOK = ROOT / "docs/howto/notebook.ipynb"


def test_every_page_that_says_it_is_generated_is_written_by_make_docs():
    marked = {
        str(file.relative_to(ROOT / "docs"))
        for file in (ROOT / "docs").rglob("*.md")
        if "`make docs`" in file.read_text(encoding="utf-8")[:400]
    }

    assert marked == set(build().PAGES) - {"howto/notebook.ipynb"}


def test_the_notebook_in_the_repository_is_its_page():
    assert NOTEBOOK.read_text(encoding="utf-8") == build().notebook(), "run `make docs`"


def test_the_cells_of_the_notebook_are_the_blocks_of_the_page_which_are_run():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    code = ["".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code"]

    assert code == [block.text for block in blocks_of("docs/howto/notebook.md")]
    assert len({cell["id"] for cell in cells}) == len(cells)
