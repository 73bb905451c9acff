"""The page of guarantees, and the README's table: every test, script and result that they name is there."""

import ast
import re

import pytest

from tests.docs.pages import ROOT, text_of

PAGES = ("docs/explain/guarantees.md", "README.md")
NAMED = [
    (page, *named)
    for page in PAGES
    for named in re.findall(r"`((?:tests|benchmarks)/[\w/.]+)(?:::(\w+))?`", text_of(page))
]


@pytest.mark.parametrize(("page", "path", "test"), NAMED)
def test_what_is_named_is_there(page, path, test):
    place = ROOT / path
    assert place.exists(), page
    if test:
        tree = ast.parse(place.read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_a_test_and_every_claim_a_script_and_its_result():
    for title, *rows in (section.splitlines() for section in text_of(PAGES[0]).split("\n## ")[1:-1]):
        promises = [row.strip("|").split("|") for row in rows if row.startswith("| ")][1:]
        kind = "benchmarks/" if title == "Speed" else "tests/"
        assert promises, title
        assert all(f"`{kind}" in cell for _, *cells in promises for cell in cells), title


def test_there_is_something_to_check():
    assert {page for page, *_ in NAMED} == set(PAGES)
    assert sum(bool(test) for _, _, test in NAMED) > 20
