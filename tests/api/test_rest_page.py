"""The reference page of the REST interface: whole, and as it stands in the repository the newest."""

from pathlib import Path

import hpo
from hpo.api.app import ROUTERS
from hpo.api.rest_page import page

PAGE = Path(hpo.__file__).parent.parent / "docs" / "reference" / "rest.md"


def test_the_page_in_the_repository_is_what_the_document_gives():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_page_has_every_address():
    text = page()

    missing = [
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
        if f"### `{method} {route.path}`" not in text
    ]
    assert missing == []
