"""The reference page of errors: whole, the newest, and true of what programs end with."""

import ast
from pathlib import Path

import pytest

import hpo
from hpo.api import problems
from hpo.cli.entry import INTERRUPTED
from hpo.errors import SpecError, StudyNotFound
from hpo.service.errors_page import EXIT_CODES, OF_HTTP, classes, page

PAGE = Path(hpo.__file__).parent.parent / "docs" / "reference" / "errors.md"
INSIDE = {"Cancelled"}  # says within a worker that its task is not wanted any more; no door shows it


def test_the_page_in_the_repository_is_what_the_classes_give():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_no_error_is_defined_anywhere_else():
    known = {kind.__name__ for kind in classes()}
    found = {
        node.name
        for file in Path(hpo.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and {getattr(base, "id", "") for base in node.bases} & known
    }

    assert found - INSIDE == known - {"HpoError"}


def test_a_code_is_of_one_class():
    codes = [kind.code for kind in classes()]

    assert len(codes) == len(set(codes))
    assert not set(codes) & set(OF_HTTP)


@pytest.mark.parametrize("kind", classes())
def test_a_row_is_whole(kind):
    (row,) = [line for line in page().splitlines() if f"| {kind.__name__} |" in line]

    code, _, status, exit_code, sentence = (cell.strip() for cell in row.strip("|").split("|"))

    assert (code, int(status), int(exit_code)) == (f"`{kind.code}`", kind.status, kind.exit_code)
    assert sentence[0].islower() or sentence.startswith(("API", "Idempotency"))
    assert kind.exit_code in EXIT_CODES


def test_what_exit_codes_mean_is_what_errors_have():
    assert (SpecError.exit_code, StudyNotFound.exit_code, INTERRUPTED) == (2, 4, 130)
    assert {kind.exit_code for kind in classes()} | {0, INTERRUPTED} == set(EXIT_CODES)


def test_what_http_itself_answers_is_what_problems_say():
    code = Path(problems.__file__).read_text(encoding="utf-8")

    assert all(f'"{name}"' in code for name in OF_HTTP)
    assert {status: name for name, (status, _) in OF_HTTP.items() if status in (404, 405)} == problems._CODES
