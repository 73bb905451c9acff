"""Write what under docs/ is made from tables or from other pages; `make docs` runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hpo.api import rest_page
from hpo.cli import commands_page
from hpo.service import errors_page, illnesses_page, settings_page, vocabulary_page

DOCS = Path(__file__).parent


def notebook(page: str = "howto/notebook.md") -> str:
    """A page as a notebook: its Python blocks are the cells to run, what stands between them is text."""
    parts = re.split(
        r"^```python\n(.*?)^```\n", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    cells = []
    for place, part in enumerate(parts):
        if not part.strip():
            continue
        cell = {"id": f"cell-{place}", "metadata": {}, "source": part.strip("\n").splitlines(keepends=True)}
        code = {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append(cell | (code if place % 2 else {"cell_type": "markdown"}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    found = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


PAGES = {
    "howto/notebook.ipynb": notebook,
    "reference/commands.md": commands_page.page,
    "reference/errors.md": errors_page.page,
    "reference/hyperparameters.md": vocabulary_page.page,
    "reference/illnesses.md": illnesses_page.page,
    "reference/rest.md": rest_page.page,
    "reference/settings.md": settings_page.page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
