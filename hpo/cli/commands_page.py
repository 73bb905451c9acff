"""Write the reference page of all commands from the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from hpo.cli.main import EXAMPLES, app
from hpo.cli.where import HERE

_INTRO = """\
# Commands

<!-- Written from the program's own verbs by `make docs`: change their docstrings and options. -->

`hpo VERB --help` says the same. Answers go to standard output, all else to standard error; exit codes are in
[errors](errors.md), what may be set once for all verbs in [settings](settings.md). STUDY is a study's name.

- `-f json` and `-f csv` write answers for programs, in a shape that stays; `-q`, `--quiet` leaves out all but the answer and errors;
  `-y`, `--yes` answers every question with yes.
- `--server URL`, or `HPO_SERVER`, has a verb ask a server; without one it works on this machine. Those that never ask one: {here}.
- `hpo --install-completion` completes verbs, options and names in bash, zsh and fish; `hpo --version` prints the version.
"""
# Said once at the top of the page, not with each verb.
COMMON = ("--format", "--quiet", "--yes", "--server", "--help")


def commands(found: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every verb with the words that reach it, families left out."""
    found = typer.main.get_command(app) if found is None else found
    below = getattr(found, "commands", None)
    if below is None:
        yield words, found
        return
    for name, command in below.items():
        yield from commands(command, (*words, name))


def page() -> str:
    """The page in Markdown."""
    here = ", ".join(f"`{verb}`" for verb in HERE)
    return "\n".join([_INTRO.replace("{here}", here), *(_section(words, verb) for words, verb in commands())])


def _section(words: tuple[str, ...], verb: Any) -> str:
    about = " ".join((verb.help or "").split())
    context = typer.Context(verb)
    shown = [param for param in verb.params if not param.hidden and not set(param.opts) & set(COMMON)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    usage = " ".join(["hpo", *words, *map(_place, arguments), *(["[OPTIONS]"] if options else [])])
    said = [(param.metavar, param.help) for param in arguments]
    said += [param.get_help_record(context) for param in options]
    rows = [f"| {_cell(f'`{name}`')} | {_cell(meaning)} |\n" for name, meaning in said]
    table = "".join(["| | |\n|---|---|\n", *rows, "\n"]) if rows else ""
    return f"## `{usage}`\n\n{about}\n\n{table}Example: `{EXAMPLES[' '.join(words)]}`\n"


def _place(argument: Any) -> str:
    """An argument as it stands in the usage."""
    return str(argument.metavar) if argument.required else f"[{argument.metavar}]"


def _cell(text: str) -> str:
    """A text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
