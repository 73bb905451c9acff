"""Colours: on a terminal, unless NO_COLOR or TERM forbid them; in a pipe only where FORCE_COLOR asks for them."""

import os
import re
import subprocess
import sys
from contextlib import closing

import pytest

from hpo.cli.screen import STATES
from hpo.cli.terminal import STATE_STYLES, STYLES
from hpo.states import StudyState, TrialState
from tests.cli.terminals import ROOT, Terminal

COLOUR = re.compile(r"\x1b\[[0-9;]+m")
GREEN, RED = "\x1b[32m", "\x1b[31m"


@pytest.fixture(autouse=True)
def own_words(monkeypatch):
    """Not the environment of whoever runs the tests."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def terminal():
    with closing(Terminal()) as found:
        yield found


def in_a_pipe(*words, **environ):
    """The program as `hpo … | cat` runs it: what it writes to standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "hpo", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | environ,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ],
)
def test_on_a_terminal_states_have_colours_unless_they_are_forbidden(terminal, study, environ, coloured):
    study("digits")

    terminal.wait(terminal.run("trials", "digits", **environ))

    text = terminal.raw.decode()
    assert (f"{GREEN}COMPLETE\x1b[0m" in text, f"{RED}FAIL\x1b[0m" in text) == (coloured, coloured)
    assert bool(COLOUR.search(text)) is coloured


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_in_a_pipe_there_are_none_unless_they_are_asked_for(study, environ, coloured):
    study("digits")

    out, _ = in_a_pipe("trials", "digits", **environ)
    _, err = in_a_pipe("show", "nothing", **environ)

    assert (f"{GREEN}COMPLETE\x1b[0m" in out, err.startswith(f"{RED}error:\x1b[0m ")) == (coloured, coloured)
    assert bool(COLOUR.search(out + err)) is coloured


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_what_programs_read_has_none_whatever_is_asked_for(hpo, study, monkeypatch, kind):
    study("digits")
    monkeypatch.setenv("FORCE_COLOR", "1")

    _, out, _ = hpo("trials", "digits", "-f", kind)

    assert "COMPLETE" in out
    assert "\x1b" not in out


def test_colours_move_no_column(hpo, study, monkeypatch):
    study("digits")
    plain = hpo("trials", "digits")[1]
    monkeypatch.setenv("FORCE_COLOR", "1")

    coloured = hpo("trials", "digits")[1]

    assert coloured != plain
    assert COLOUR.sub("", coloured) == plain


@pytest.mark.parametrize("environ", [{}, {"FORCE_COLOR": "1"}])
def test_who_watches_through_a_pipe_gets_plain_lines(study, environ):
    study("digits")

    out, err = in_a_pipe("watch", "digits", **environ)

    assert re.fullmatch(r"digits: 3/4 trials, best accuracy 0\.9 \(trial 1\), .* trials/s, 1 failed\n", err)
    assert out == "study digits is COMPLETED: 3 of 4 trials\n"


def test_every_state_has_its_colour_and_every_colour_its_code():
    assert set(STATE_STYLES) == {*StudyState, *TrialState}
    assert set(STATE_STYLES.values()) <= set(STYLES)
    assert set(STATES) == set(TrialState)
