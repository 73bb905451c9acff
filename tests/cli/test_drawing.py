"""The live view on a real pseudo-terminal: what the screen shows while it runs and after it."""

import contextlib
import logging
import os
from contextlib import closing
from dataclasses import replace

import pytest

from hpo.api.site import Site
from hpo.cli.drawing import DrawnView, drawn_on
from hpo.cli.log import set_up_log
from hpo.progress import Progress
from hpo.service.processes import this_process
from hpo.settings import read_settings
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from tests.cli.terminals import Terminal

HIDE_CURSOR = b"\x1b[?25l"


def progress(n=0, **changes):
    told = Progress(
        study="digits",
        state=StudyState.RUNNING,
        n_trials=100,
        counts={TrialState.COMPLETE: n},
        metric="accuracy",
        best_number=0 if n else None,
        best_value=n / 100 if n else None,
        trials_per_s=10.0 if n else 0.0,
        seconds=n / 10,
        seconds_left=(100 - n) / 10 if n else None,
    )
    return replace(told, **changes)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def terminal():
    with closing(Terminal()) as found:
        yield found


@pytest.fixture
def clock():
    return Clock()


def test_the_view_is_drawn_over_itself_and_leaves_one_plain_line(terminal, clock):
    print("before", file=terminal.out, flush=True)

    with DrawnView(terminal.out, clock) as view:
        for n in range(0, 101, 10):
            clock.now += 1.0
            view.show(progress(n))
            assert terminal.lines()[0] == "before"
            assert terminal.lines()[1].endswith(f"{n}/100 trials")
            assert len(terminal.lines()) == 5

    assert terminal.lines() == ["before", "digits: 100/100 trials in 10 s, best accuracy 1 (trial 0)"]
    assert (terminal.screen.cursor.x, terminal.screen.cursor.y) == (0, 2)


def test_it_is_drawn_four_times_a_second_however_often_it_is_told(terminal, clock):
    with DrawnView(terminal.out, clock) as view:
        for i in range(1000):  # ten seconds
            clock.now = i / 100
            view.show(progress(i // 10))
            terminal.read()

    assert 38 <= terminal.raw.count(b"RUNNING") <= 41


def test_what_came_too_soon_is_drawn_a_moment_later_though_nothing_more_comes(terminal, clock):
    with DrawnView(terminal.out, clock) as view:
        view.show(progress(10))
        clock.now = 0.1
        view.show(progress(20))
        view.draw()
        assert terminal.lines()[0].endswith("10/100 trials")

        clock.now = 0.3
        view.draw()

        assert terminal.lines()[0].endswith("20/100 trials")


def test_while_nothing_happens_the_time_goes_on(terminal, clock):
    with DrawnView(terminal.out, clock) as view:
        view.show(progress(40))  # 40 of 100 trials in 4 s
        clock.now = 5.0
        view.draw()
        assert terminal.lines()[2].endswith("  1.0 s left")

        view.show(progress(40, state=StudyState.PAUSED))
        clock.now = 50.0
        view.draw()
        assert terminal.lines()[2].endswith("  4.0 s so far")

    assert terminal.lines() == ["digits: 40/100 trials in 4.0 s, best accuracy 0.4 (trial 0)"]


def test_a_view_that_is_kept_drawn_follows_its_window_without_being_told(terminal):
    with DrawnView(terminal.out) as view, drawn_on(view):
        view.show(progress(40))
        terminal.resize(24, 10)

        terminal.until(lambda lines: lines == ["40/100 trials  best 0.4"])


def test_a_window_that_shrinks_and_grows_shows_one_view_and_nothing_of_the_old(terminal, clock):
    with DrawnView(terminal.out, clock) as view:
        for width, height in ((80, 24), (50, 24), (20, 24), (20, 4), (100, 30)):
            terminal.resize(width, height)
            clock.now += 1.0
            view.show(progress(40))
            text = "\n".join(terminal.lines())
            assert text.count("40/100" if width > 20 else "best 0.4") == 1
            assert len(terminal.lines()) == (4 if width > 20 else 1)

    assert terminal.lines() == ["digits: 40/100 trials in 4.0 s, best accuracy 0.4 (trial 0)"]


def test_at_the_last_line_of_the_screen_it_scrolls_once(terminal, clock):
    terminal.out.write("".join(f"line {i}\n" for i in range(23)))

    with DrawnView(terminal.out, clock) as view:
        for n in (10, 20, 30):
            clock.now += 1.0
            view.show(progress(n))

    assert terminal.lines()[-2:] == [
        "line 22",
        "digits: 30/100 trials in 3.0 s, best accuracy 0.3 (trial 0)",
    ]


def test_messages_and_log_lines_stay_above_the_view(terminal, clock, monkeypatch):
    monkeypatch.setattr("sys.stderr", terminal.out)
    set_up_log("warning")

    with DrawnView(terminal.out, clock) as view:
        view.show(progress(10))
        view.show(progress(20, message="worker 2 was lost; its trials train again"))
        view.show(progress(30, message="worker 2 was lost; its trials train again"))
        logging.getLogger("hpo.test").warning("the disk is nearly full")
        view.show(progress(40))

    assert terminal.lines() == [
        "worker 2 was lost; its trials train again",
        "WARNING hpo.test: the disk is nearly full",
        "digits: 40/100 trials in 4.0 s, best accuracy 0.4 (trial 0)",
    ]


def test_in_40_columns_no_word_is_broken(clock):
    with closing(Terminal(width=40)) as terminal:
        with DrawnView(terminal.out, clock) as view:
            view.show(progress(20, message="worker 2 was lost; its trials train again"))

        assert terminal.lines() == [
            "worker 2 was lost; its trials train",
            "  again",
            "digits: 20/100 trials in 2.0 s, best",
            "  accuracy 0.2 (trial 0)",
        ]


def test_what_is_said_in_a_message_cannot_drive_the_terminal(terminal, clock):
    with DrawnView(terminal.out, clock) as view:
        view.show(progress(10, message="\x1b[2Jgone"))

    assert b"\x1b[2J" not in terminal.raw


def test_an_error_or_ctrl_c_takes_the_view_away_and_the_cursor_was_never_hidden(terminal, clock):
    def interrupted():
        with DrawnView(terminal.out, clock) as view:
            view.show(progress(10))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert terminal.lines() == ["digits: 10/100 trials in 1.0 s, best accuracy 0.1 (trial 0)"]
    assert HIDE_CURSOR not in terminal.raw


def test_a_terminal_that_is_gone_does_not_stop_the_study(clock):
    terminal = Terminal()

    with DrawnView(terminal.out, clock) as view:
        view.show(progress(10))
        os.close(terminal._master)
        clock.now += 1.0
        view.show(progress(20))

    with contextlib.suppress(OSError):  # of what Python could not write
        terminal.out.close()


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False)],
)
def test_no_color_leaves_colours_out(terminal, clock, monkeypatch, environ, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    with DrawnView(terminal.out, clock) as view:
        view.show(progress(10))
    terminal.read()

    assert (b"\x1b[32m" in terminal.raw) is coloured


def test_watch_follows_on_a_terminal_and_ctrl_c_leaves_it_clean(terminal, study):
    study("digits", state=StudyState.RUNNING)
    before = terminal.modes()
    process = terminal.run("watch", "digits")
    terminal.until(lambda lines: any("3/4 trials" in line for line in lines))
    assert any(line.startswith("digits  RUNNING  [") for line in terminal.lines())

    terminal.type(b"\x03")

    assert terminal.wait(process) == 130
    first, *rest = terminal.lines()
    assert first.startswith("digits: 3/4 trials in ")
    assert rest == ["study digits goes on without you; `hpo watch digits` looks again"]
    assert HIDE_CURSOR not in terminal.raw
    assert terminal.modes() == before


def test_in_the_background_nothing_is_drawn_over_what_is_typed(terminal, study):
    study("digits")
    shell = ("bash", "-mc", 'echo -n "$ what is being ty"; "$@" & wait $!', "bash")

    process = terminal.run("watch", "digits", before=shell)

    assert terminal.wait(process) == 0
    assert b"\x1b" not in terminal.raw
    assert terminal.lines()[0].startswith("$ what is being tydigits: 3/4 trials in ")


def test_watch_of_a_servers_study_shows_the_slots_that_train_it_now(terminal, study, made, home):
    study("digits", state=StudyState.QUEUED)
    url = made()
    settings = read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url})
    with closing(open_storage(url)) as storage, serving(Site(settings=settings, storage=storage)) as address:
        claim = storage.claim_study("digits", this_process())
        process = terminal.run("watch", "digits", "--server", address)
        for busy in (3, 1):
            storage.renew(claim, lease_s=600, live={"n_slots": 4, "n_busy": busy, "n_lanes": 8})
            terminal.until(lambda lines, busy=busy: any(f"{busy} of 4 slots busy" in line for line in lines))
        storage.release(claim, StudyState.PAUSED)

        assert terminal.wait(process) == 0
    assert terminal.lines()[-1] == "study digits is PAUSED: 0 of 4 trials"


def test_watch_on_a_dumb_terminal_writes_plain_lines(terminal, study):
    study("digits", state=StudyState.COMPLETED)

    process = terminal.run("watch", "digits", TERM="dumb")

    assert terminal.wait(process) == 0
    assert b"\x1b" not in terminal.raw
    assert terminal.lines()[-1] == "study digits is COMPLETED: 3 of 4 trials"
