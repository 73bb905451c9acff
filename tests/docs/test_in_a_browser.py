"""The page on web pages lists those there are."""

import re

from hpo.api.pages import routes
from tests.docs.pages import text_of

PAGE = "docs/howto/in-a-browser.md"


def test_the_pages_that_it_lists_are_those_of_a_server():
    listed = re.findall(r"^\| `(/[^`]*)` \|", text_of(PAGE), re.MULTILINE)

    served = {route.path for route in routes.router.routes if "GET" in route.methods}

    assert sorted(listed) == sorted(served - {routes.SIGN_IN})


def test_as_many_studies_as_it_says_can_be_compared():
    assert f"up to {routes.MOST_COMPARED} studies side by side" in text_of(PAGE)
