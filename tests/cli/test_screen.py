"""What the live view shows, line by line, in windows of every size."""

import re

import pytest
from wcwidth import wcswidth

from hpo.cli.screen import Canvas, bar, lines
from hpo.cli.sparkline import PLAIN_BARS, BestSoFar, sparkline
from hpo.progress import Progress
from hpo.states import StudyState, TrialState

CODES = re.compile(r"\x1b\[[0-9;]*m")
COUNTS = {
    TrialState.COMPLETE: 50,
    TrialState.PRUNED: 10,
    TrialState.FAIL: 4,
    TrialState.RUNNING: 16,
}


def progress(**changes):
    told = {
        "study": "digits",
        "state": StudyState.RUNNING,
        "n_trials": 128,
        "counts": COUNTS,
        "metric": "accuracy",
        "best_number": 7,
        "best_value": 0.98765,
        "trials_per_s": 12.5,
        "model_steps_per_s": 90_512.0,
        "seconds": 8.0,
        "seconds_left": 5.1,
        "n_slots": 8,
        "n_busy": 4,
    }
    return Progress(**{**told, **changes})


def seen(*steps):
    best = BestSoFar()
    for n_finished, value in steps:
        best.note(n_finished, value)
    return best


def drawn(now, best=None, *, width=79, height=24, **how):
    return lines(now, best or seen(), Canvas(width=width, height=height, **how))


def test_a_window_of_ordinary_size_shows_all_there_is_to_say():
    head, best, speed, counts = drawn(progress(), seen((1, 0.5), (64, 0.98765)), colour=False)

    assert re.fullmatch(r"digits  RUNNING  \[█+▓+▒+░+ +\]  64/128 trials", head)
    assert re.fullmatch(r"best accuracy 0.98765 \(trial 7\)  ▁+█", best)
    assert speed == "12.5 trials/s  90.5k model-steps/s  4 of 8 slots busy  5.1 s left"
    assert counts == "█ 50 COMPLETE  ▓ 10 PRUNED  ▒ 4 FAIL  ░ 16 RUNNING"


@pytest.mark.parametrize("width", [1, 5, 20, 31, 32, 40, 60, 79, 80, 200])
@pytest.mark.parametrize("height", [1, 5, 6, 50])
@pytest.mark.parametrize("best", [None, 0.98765])
def test_no_line_is_wider_than_its_window(width, height, best):
    now = progress(study="a-rather-long-name-for-a-study" * 2, best_value=best, n_trials=10_000_000)

    rows = drawn(now, seen((1, 0.5), (64, 0.9)), width=width, height=height)

    assert len(rows) <= min(height, 4)
    assert max(len(CODES.sub("", row)) for row in rows) <= width


@pytest.mark.parametrize("width", [12, 31, 40, 60, 79])
def test_a_metric_in_wide_letters_has_its_place(width):
    rows = drawn(progress(metric="検証データの平均損失"), seen((1, 0.5), (64, 0.9)), width=width)

    assert max(wcswidth(CODES.sub("", row)) for row in rows) <= width
    assert any("0.987" in row for row in rows)


def test_the_best_value_is_the_last_to_go_where_there_is_no_room():
    assert drawn(progress(), width=12, colour=False) == ["best 0.9877"]
    assert drawn(progress(), width=79, height=5, colour=False) == [
        "digits  64/128 trials  best 0.9877  5.1 s left"
    ]


def test_before_the_first_trial_ends_there_is_no_rate_and_no_time_left():
    fresh = progress(counts={}, best_value=None, trials_per_s=0.0, model_steps_per_s=0.0, seconds_left=None)

    _, best, speed, _ = drawn(fresh, colour=False)

    assert best == "no accuracy yet"
    assert speed == "4 of 8 slots busy  8.0 s so far"


def test_the_bar_gives_each_state_its_share():
    # Of 128 trials 50, 10, 4 and 16 in 64 characters: half as many each.
    found = bar(progress(), 64, Canvas(width=80, height=24, colour=False))

    assert [found.count(sign) for sign in "█▓▒░ "] == [25, 5, 2, 8, 24]


def test_without_colours_or_block_characters_it_is_plain_ascii():
    rows = drawn(progress(), seen((1, 0.5), (64, 0.9)), colour=False, blocks=False)

    assert "\n".join(rows).isascii()
    assert "# 50 COMPLETE  = 10 PRUNED  x 4 FAIL  ~ 16 RUNNING" in rows


def test_the_sparkline_goes_where_the_best_value_goes():
    falling = seen((1, 8.0), (2, 4.0), (4, 1.0)).sampled(4)

    assert sparkline(falling) == "█▄▄▁"  # after 1, 2, 3, 4 trials: 8, 4, 4, 1
    assert sparkline(falling, PLAIN_BARS)[-1] == "_"


def test_a_best_value_that_counts_no_more_begins_the_sparkline_anew():
    best = seen((1, 0.5), (5, 0.9), (5, None), (6, 0.2), (7, 0.4))

    assert best.sampled(2) == [0.2, 0.4]


def test_there_is_no_sparkline_of_one_value():
    assert drawn(progress(), seen((1, 0.9), (64, 0.9)), colour=False)[1] == "best accuracy 0.98765 (trial 7)"


def test_a_very_wide_window_does_not_pull_the_view_apart():
    rows = drawn(progress(), seen((1, 0.5), (64, 0.9)), width=400, colour=False)

    assert max(map(len, rows)) == len("digits  RUNNING  []  64/128 trials") + 64
    assert rows == drawn(progress(), seen((1, 0.5), (64, 0.9)), width=120, colour=False)


def test_values_at_the_ends_of_what_floats_hold_are_drawn():
    assert sparkline([-1.7e308, 0.0, 1.7e308]) == "▁▅█"
