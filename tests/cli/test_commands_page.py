"""The reference page of commands: whole, and as it stands in the repository the newest."""

import re

import pytest
import typer

from hpo.cli.commands_page import COMMON, commands, page
from hpo.cli.main import EXAMPLES, app
from tests.cli.terminals import ROOT

SECTIONS = page().split("\n## ")[1:]


def section_of(words):
    """What the page says of a verb."""
    (found,) = [text for text in SECTIONS if re.match(rf"`hpo {' '.join(words)}( [^a-z]|`)", text)]
    return found


def test_the_page_in_the_repository_is_what_the_program_gives():
    assert (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_verb_has_a_section():
    families = {
        name for name, found in typer.main.get_command(app).commands.items() if hasattr(found, "commands")
    }

    assert {" ".join(words) for words, _ in commands()} == set(EXAMPLES) - families - {""}
    assert len(SECTIONS) == len(list(commands()))


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_a_section_has_what_the_help_of_the_verb_has(words, hpo):
    _, said, _ = hpo(*words, "--help")

    section = section_of(words)
    options = re.findall(r"^ +(?:-\w, )?(--[a-z][\w-]*)", said, re.MULTILINE)

    assert "--help" in options
    assert {name for name in options if not re.search(rf"[`\s]{name}\b", section)} <= set(COMMON)
    assert f"Example: `{EXAMPLES[' '.join(words)]}`" in section


def test_no_option_that_is_hidden_is_on_the_page():
    assert "--cohort-lanes" not in page()
