"""The help of every command that there is, found by walking through them, has an example that works as it stands."""

import os
import subprocess
import sys

import typer

from hpo.cli.main import EXAMPLES, app
from tests.cli.terminals import ROOT


def commands(found, words=()):
    """Every command and family of commands below one, with the words that reach it."""
    yield words, found
    for name, below in getattr(found, "commands", {}).items():
        yield from commands(below, (*words, name))


ALL = dict(commands(typer.main.get_command(app)))


def test_every_command_says_in_its_help_what_it_does_and_gives_an_example(hpo):
    for words, command in ALL.items():
        code, out, err = hpo(*words, "--help")

        lines = [line.strip() for line in out.splitlines()]
        assert (code, err) == (0, ""), words
        assert command.help, words
        assert max(map(len, lines)) <= 80, words
        # On one line, so that it can be copied.
        assert any(line.startswith(" ".join(["Example: hpo", *words])) for line in lines), words
        assert f"Example: {EXAMPLES[' '.join(words)]}" in lines, words


def test_every_option_and_argument_says_what_it_is():
    for words, command in ALL.items():
        for param in command.params:
            assert getattr(param, "hidden", False) or getattr(param, "help", None), (words, param.name)


def test_no_example_is_of_a_command_that_is_gone():
    assert {tuple(words.split()) for words in EXAMPLES} == set(ALL)


def test_the_help_loads_nothing_of_what_a_study_is():
    code = (
        "import sys; from hpo.cli.main import main; code = main(['--help']);"
        "print(code, sorted({'hpo.study', 'hpo.space', 'rich', 'numpy', 'sqlalchemy', 'pydantic'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.splitlines()[-1] == "0 []"
