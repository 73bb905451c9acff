"""Write the pages under docs/ that are made from tables; `make docs` runs it."""

from __future__ import annotations

from pathlib import Path

from hpo.api import rest_page
from hpo.service import illnesses_page, vocabulary_page

PAGES = {
    "reference/hyperparameters.md": vocabulary_page.page,
    "reference/illnesses.md": illnesses_page.page,
    "reference/rest.md": rest_page.page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (Path(__file__).parent / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
