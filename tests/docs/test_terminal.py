"""The page on the terminal: its blocks run as they stand, and the view that it shows is the view there is."""

import pytest

from hpo.cli.completing import PATIENCE_S
from hpo.cli.drawing import CLOCK_S, DRAW_S
from hpo.cli.live import QUIET_S
from hpo.cli.screen import LOW, NARROW, Canvas, lines
from hpo.cli.sparkline import BestSoFar
from hpo.coordinator.tally import WINDOW_S
from hpo.progress import Progress
from hpo.states import StudyState, TrialState
from tests.docs.pages import Shell, blocks_of, text_of

PAGE = "docs/howto/terminal.md"
TEXT = text_of(PAGE)
[VIEW] = (block.text.removesuffix("\n") for block in blocks_of(PAGE) if block.language == "text")


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_every_block_of_the_page_runs(tmp_path, warm):
    (tmp_path / "own").mkdir()
    shell = Shell(tmp_path, warm=warm)
    own = Shell(
        tmp_path / "own", HOME=str(tmp_path)
    )  # which shell it is, a program learns from who started it

    *blocks, completion = (block for block in blocks_of(PAGE) if block.language == "bash")
    for block in blocks:
        shell.run(block)
    own.run(completion)

    assert len(blocks) == 5
    assert "\x1b" not in (shell.folder / "run.log").read_text()
    assert "hpo" in (tmp_path / ".bashrc").read_text()


def test_the_view_that_the_page_shows_is_the_one_that_is_drawn():
    progress = Progress(
        study="digits",
        state=StudyState.RUNNING,
        n_trials=128,
        counts={
            TrialState.COMPLETE: 50,
            TrialState.PRUNED: 10,
            TrialState.FAIL: 4,
            TrialState.RUNNING: 16,
        },
        metric="accuracy",
        best_number=7,
        best_value=0.98765,
        trials_per_s=12.5,
        model_steps_per_s=90_512.0,
        seconds_left=5.1,
        n_slots=8,
        n_busy=4,
    )
    best = BestSoFar()
    for n_finished, value in ((1, 0.5), (30, 0.75), (64, 0.98765)):
        best.note(n_finished, value)

    assert lines(progress, best, Canvas(width=75, height=24, colour=False)) == VIEW.split("\n")


def test_the_numbers_of_the_page_are_those_of_the_program():
    words = " ".join(TEXT.split())

    assert f"below {NARROW} columns or {LOW} lines" in words
    assert f"longer than {PATIENCE_S} s suggests nothing" in words
    assert f"speeds of the last {WINDOW_S:.0f} seconds" in words
    assert (DRAW_S, CLOCK_S, QUIET_S) == (0.25, 1.0, 10.0)  # four times a second, within a second, every ten
