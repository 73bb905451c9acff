"""The view of a running study where there is no terminal."""

import io
from dataclasses import replace

import pytest

from hpo.cli.live import PlainView, open_view
from hpo.cli.pace import left_text, line, summary
from hpo.progress import Progress
from hpo.states import StudyState, TrialState


def progress(n_complete, n_trials=100, *, n_failed=0, message=None, best=None):
    return Progress(
        study="digits",
        state=StudyState.RUNNING,
        n_trials=n_trials,
        counts={TrialState.COMPLETE: n_complete, TrialState.FAIL: n_failed},
        metric="accuracy",
        best_number=None if best is None else 7,
        best_value=best,
        trials_per_s=12.5,
        seconds_left=75,
        message=message,
    )


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_line_says_trials_best_value_rate_and_time_left():
    assert line(progress(30, best=0.98765)) == (
        "digits: 30/100 trials, best accuracy 0.98765 (trial 7), 12.5 trials/s, 1 min 15 s left"
    )


def test_a_line_counts_failed_trials_and_says_when_there_is_no_value_yet():
    text = line(progress(0, n_failed=100))

    assert text == "digits: 100/100 trials, no accuracy yet, 12.5 trials/s, 100 failed"


def test_a_thousand_reports_give_a_line_for_each_tenth():
    out = io.StringIO()
    view = PlainView(out, clock=Clock())

    for n in range(1001):
        view.show(progress(n, n_trials=1000))

    assert len(out.getvalue().splitlines()) == 11


def test_a_slow_study_gives_a_line_when_ten_seconds_have_passed():
    out, clock = io.StringIO(), Clock()
    view = PlainView(out, clock=clock)

    view.show(progress(0))
    view.show(progress(1))
    clock.now = 11.0
    view.show(progress(2))

    assert [text.split(",")[0] for text in out.getvalue().splitlines()] == [
        "digits: 0/100 trials",
        "digits: 2/100 trials",
    ]


def test_nothing_is_repeated_while_nothing_happens():
    out, clock = io.StringIO(), Clock()
    view = PlainView(out, clock=clock)

    for minute in range(10):
        clock.now = 60.0 * minute
        view.show(progress(5))

    assert len(out.getvalue().splitlines()) == 1


def test_a_message_is_shown_at_once_and_once():
    out = io.StringIO()
    view = PlainView(out, clock=Clock())

    view.show(progress(1))
    view.show(progress(1, message="worker 2 was lost; its trials train again"))
    view.show(progress(1, message="worker 2 was lost; its trials train again"))

    assert out.getvalue().splitlines()[1:] == ["worker 2 was lost; its trials train again"]


def test_a_reader_that_left_does_not_stop_the_study():
    tried = []

    class Closed(io.StringIO):
        def write(self, text):
            tried.append(text)
            raise BrokenPipeError

    view = PlainView(Closed(), clock=Clock())
    view.show(progress(1))
    view.show(progress(50))

    assert [text.split(",")[0] for text in tried] == ["digits: 1/100 trials", "digits: 50/100 trials"]


def test_a_line_says_no_rate_and_no_time_left_while_they_are_unknown():
    text = line(replace(progress(0), trials_per_s=0.0, seconds_left=None))

    assert text == "digits: 0/100 trials, no accuracy yet"


@pytest.mark.parametrize("state", [state for state in StudyState if state is not StudyState.RUNNING])
def test_a_study_that_does_not_run_has_no_time_left(state):
    assert left_text(progress(30)) == "1 min 15 s left"
    assert left_text(replace(progress(30), state=state)) == ""


def test_the_summary_says_what_became_of_the_trials():
    end = replace(progress(90, n_failed=10, best=0.98765), seconds=75.0)

    assert summary(end) == "digits: 100/100 trials in 1 min 15 s, best accuracy 0.98765 (trial 7), 10 FAIL"


def test_a_terminal_that_cannot_draw_gets_plain_lines(monkeypatch):
    class Dumb(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Dumb())
    monkeypatch.setenv("TERM", "dumb")

    with open_view() as view:
        assert isinstance(view, PlainView)
