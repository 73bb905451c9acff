"""The program as a person sees it: on a real terminal, in windows of every size, until Ctrl-C."""

from contextlib import closing

import pytest

from hpo.service.processes import this_process
from hpo.states import StudyState
from tests.cli.terminals import Terminal

LONG = ("run", "--data", "digits", "--name", "long", "--trials", "1000", "--epochs", "1000", "--workers", "1")


@pytest.fixture
def terminal():
    with closing(Terminal()) as found:
        yield found


def is_drawn(lines):
    """Whether the view of a study stands on the screen."""
    return any("[" in line and line.endswith(" trials") for line in lines)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ctrl_c_pauses_a_run_and_leaves_the_terminal_as_it_was(terminal):
    before = terminal.modes()
    process = terminal.run(*LONG)
    terminal.until(is_drawn)

    terminal.type(b"\x03")

    assert terminal.wait(process) == 130
    *_, pausing, summary, paused = terminal.lines()
    assert pausing == "pausing study long; Ctrl-C again kills it"
    assert summary.startswith("long: 0/1000 trials in ")
    assert paused == "study long is PAUSED after 0 of 1000 trials; `hpo resume long` goes on"
    assert not is_drawn(terminal.lines())
    assert terminal.modes() == before
    assert not terminal.screen.cursor.hidden
    assert terminal.screen.cursor.x == 0


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ctrl_c_twice_kills_a_run_and_leaves_the_terminal_as_it_was(terminal):
    before = terminal.modes()
    process = terminal.run(*LONG)
    terminal.until(is_drawn)

    terminal.type(b"\x03")
    terminal.until(lambda lines: any(line.startswith("pausing study long") for line in lines))
    terminal.type(b"\x03")

    assert terminal.wait(process) == 130
    assert terminal.lines()[-1].endswith("`hpo resume long` goes on")
    assert not is_drawn(terminal.lines())
    assert terminal.modes() == before
    assert not terminal.screen.cursor.hidden


def test_a_window_that_is_pulled_while_one_watches_shows_one_view_of_its_size(terminal, study, database):
    study("digits", state=StudyState.QUEUED)
    with database() as storage:
        storage.claim_study("digits", this_process(), lease_s=600)
    process = terminal.run("watch", "digits")
    terminal.until(is_drawn)

    for width in (40, 132, 60):
        terminal.resize(width, 24)
        # Its first line ends where the window's own view ends it, and no line of an older view is left.
        head = min(width - 1, len("digits  RUNNING  []  0/4 trials") + 64)
        terminal.until(lambda lines, head=head: len(lines[0]) in (head, head - 1) and len(lines) == 4)
        assert sum("0/4 trials" in line for line in terminal.lines()) == 1

    terminal.type(b"\x03")
    assert terminal.wait(process) == 130


@pytest.mark.parametrize("width", [40, 60, 200])
def test_a_study_that_is_over_is_told_without_a_broken_word(study, width):
    study("digits")
    with closing(Terminal(width=width)) as terminal:
        process = terminal.run("watch", "digits")

        assert terminal.wait(process) == 0
        words = " ".join(terminal.lines()).split()
    assert words[:3] == ["digits:", "3/4", "trials"]
    assert " ".join(words).endswith(
        "best accuracy 0.9 (trial 1), 1 FAIL study digits is COMPLETED: 3 of 4 trials"
    )
