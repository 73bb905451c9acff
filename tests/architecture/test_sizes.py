"""No file over 400 lines, no function over 60, no file without a first line that says what it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hpo

REPOSITORY = Path(hpo.__file__).parent.parent
FOLDERS = ("hpo", "tests", "benchmarks", "docs")
FILES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
NO_NAMES = ("utils.py", "helpers.py", "common.py", "misc.py")


def trees():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]


def name(path):
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("folder", ["hpo", "tests"])
def test_there_is_something_to_measure(folder):
    assert any(name(path).startswith(f"{folder}/") for path in FILES)


def test_a_file_has_at_most_400_lines():
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {file: n for file, n in lengths.items() if n > MAX_LINES} == {}


def test_a_function_has_at_most_60_lines():
    long = [
        f"{name(path)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert long == []


def test_a_file_says_in_its_first_line_what_it_is():
    silent = [name(path) for path, tree in trees() if not ast.get_docstring(tree)]
    wordy = [name(path) for path, tree in trees() if (ast.get_docstring(tree) or "").startswith("This ")]

    assert silent + wordy == []


def test_a_file_has_a_name_of_its_own():
    assert [name(path) for path in FILES if path.name in NO_NAMES] == []
