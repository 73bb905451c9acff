"""The page on web pages lists those there are, and shows the pictures that are taken of them."""

import re
from pathlib import Path

from hpo.api.pages import routes
from tests.docs.pages import ROOT, program, text_of

PAGE = "docs/howto/in-a-browser.md"
MOST_BYTES = 150_000  # of a picture


def test_the_pages_that_it_lists_are_those_of_a_server():
    listed = re.findall(r"^\| `(/[^`]*)` \|", text_of(PAGE), re.MULTILINE)

    served = {route.path for route in routes.router.routes if "GET" in route.methods}

    assert sorted(listed) == sorted(served - {routes.SIGN_IN})


def test_as_many_studies_as_it_says_can_be_compared():
    assert f"up to {routes.MOST_COMPARED} studies side by side" in text_of(PAGE)


def test_every_picture_that_is_taken_is_kept_small_and_shown():
    kept = {file.stem: file.stat().st_size for file in (ROOT / "docs" / "pictures").iterdir()}

    shown = [Path(place).stem for place in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text_of(PAGE))]

    assert sorted(shown) == sorted(kept) == sorted(program("screenshots").OF)
    assert max(kept.values()) < MOST_BYTES
