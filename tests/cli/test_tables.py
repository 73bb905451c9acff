"""Tables in windows of every size: numbers whole and aligned, nothing wider than the window."""

import contextlib
import re

import pytest
from wcwidth import wcswidth

from hpo.cli.tables import WANTED, table
from hpo.states import StudyState
from tests.cli.terminals import Terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TRIALS = [
    {
        "number": 10 * i,
        "state": "COMPLETE",
        "value": 0.98765 - i / 1000,
        "epochs": 50,
        "best_epoch": 48,
        "learning_rate": 1.2345e-05 * 3**i,
        "optimizer": "a-rather-long-name-for-an-optimizer",
        "dropout": 0.25,
        "hidden_units": 64 + i,
    }
    for i in range(8)
]


def numbers_of(text):
    """The words that look like parts of a number."""
    return set(re.findall(r"\d[\d.e+-]*", text))


@pytest.mark.parametrize("width", range(24, 140, 4))
def test_no_line_is_wider_than_the_window_and_no_number_is_cut(width):
    rows = [{"seed": 1_234_567_890_123_456 + row["number"], **row} for row in TRIALS]

    text = table(rows, width=width)

    assert max(len(line) for line in text.split("\n")) <= width
    assert numbers_of(text) <= numbers_of(table(rows))


def test_in_a_pipe_nothing_is_cut():
    text = table(TRIALS)

    assert text.count("a-rather-long-name-for-an-optimizer") == len(TRIALS)
    assert "not shown" not in text


def test_what_is_wanted_least_goes_first_and_is_named():
    assert table(TRIALS, width=95).split("\n")[-1] == "not shown: best_epoch"
    narrow = table(TRIALS, width=26).split("\n")
    assert narrow[0].split() == ["number", "state", "value"]
    assert narrow[-1].endswith("hidden_units")


def test_texts_are_shortened_before_a_parameter_is_left_out():
    rows = [{"name": "x" * 40, "n": 5, "m": 6}]

    assert table(rows, width=30).split("\n") == [
        f"name{' ' * 20}  n  m",
        f"{'x' * 23}…  5  6",
    ]


@pytest.mark.parametrize("width", [31, 40, 79, None])
def test_wide_letters_and_accents_leave_the_columns_where_they_are(width):
    names = ["手書き文字の数字データ", "손글씨", "cafe\u0301", "🎯 digits", "plain"]
    rows = [{"name": name, "state": "COMPLETE", "学習率": 0.1 * i} for i, name in enumerate(names)]

    lines = table(rows, width=width).split("\n")[: 1 + len(rows)]

    assert width is None or max(map(wcswidth, lines)) <= width
    assert len({wcswidth(line) for line in lines if line[-1].isdigit()}) == 1  # numbers end below one another
    assert {wcswidth(line[: line.index("COMPLETE")]) for line in lines[1:]} == {
        wcswidth(lines[0][: lines[0].index("state")])
    }


def test_a_name_cannot_drive_the_terminal():
    assert "\x1b" not in table([{"a\x1b[2J": "b\x1b[2J"}]) + table([{"x": 1, "a\x1b[2J": 2}], width=8)


def test_one_column_is_always_there():
    assert table([{"number": 123456, "value": 0.5}], width=3).split("\n")[:2] == ["number", "123456"]


def test_a_column_stands_once_in_the_table_of_priorities():
    assert len(set(WANTED)) == len(WANTED)


@pytest.fixture
def terminal():
    with contextlib.closing(Terminal(width=40)) as found:
        yield found


@pytest.mark.parametrize(
    "words",
    [["ls"], ["trials", "digits"], ["best", "digits", "--top", "2"], ["show", "digits"], ["best", "digits"]],
)
def test_what_the_program_writes_fits_a_narrow_terminal(terminal, study, words):
    study("digits", test=(1, {"accuracy": 0.5}))
    study("a-study-with-a-name-that-is-really-much-too-long-for-this", state=StudyState.PAUSED)

    process = terminal.run(*words)

    assert terminal.wait(process) == 0
    written = COLOUR.sub("", terminal.raw.decode().replace("\r", "")).split("\n")
    # What somebody may copy is not broken.
    assert max(len(line) for line in written if not line.startswith(("  optuna-dashboard ", "  hpo "))) <= 40
