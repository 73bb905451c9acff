"""A view that is drawn over itself on a terminal, a few times a second, and leaves one plain line behind."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from hpo.cli.cells import clean
from hpo.cli.log import before_each_line
from hpo.cli.output import fit
from hpo.cli.pace import summary
from hpo.cli.screen import Canvas, lines
from hpo.cli.sparkline import BestSoFar
from hpo.cli.terminal import has_blocks, has_colour, is_in_front, size_of
from hpo.progress import Progress
from hpo.states import StudyState

DRAW_S = 0.25
CLOCK_S = 1.0  # so often the time is another, though nothing has happened

# Between two drawings the cursor waits at the view's first character. So whatever the terminal makes of the lines
# when its window changes, all that is to be replaced stands behind the cursor; and since the cursor is never
# hidden, nothing has to be put back by a program that is killed.
WIPE = "\r\x1b[J"
_END_OF_LINE, _REST = "\x1b[K", "\x1b[J"


class DrawnView:
    """A study on a few lines of a terminal, at most four times a second."""

    wipe = WIPE

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._best = BestSoFar()
        self._last: Progress | None = None
        self._told_at = 0.0
        self._drawn: Progress | None = None
        self._drawn_at: float | None = None
        self._stands = False  # where there is nothing of ours, nothing is wiped
        self._message: str | None = None
        self._lock = threading.RLock()  # a log line of another thread, and the thread of drawn_on

    def __enter__(self) -> DrawnView:
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(before_each_line(self._make_room))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self._last is not None:
            self._make_room()
            self._say(summary(self._last))

    def show(self, progress: Progress) -> None:
        """Draw it, now or in a moment; a message goes above it, once."""
        with self._lock:
            self._best.note(progress.n_finished, progress.best_value)
            self._last, self._told_at = progress, self._clock()
            if progress.message is not None and progress.message != self._message:
                self._make_room()
                self._say(progress.message)
            self._message = progress.message
            self.draw()

    def draw(self) -> None:
        """Draw what was shown last, unless that stands there or something was drawn a moment ago."""
        with self._lock:
            if self._last is None or not is_in_front(self._out):
                return
            now = self._clock()
            due_s = CLOCK_S if self._drawn is self._last else DRAW_S
            if self._drawn_at is None or now - self._drawn_at >= due_s:
                self._drawn, self._drawn_at, self._stands = self._last, now, True
                self._write(self._drawing(_later(self._last, now - self._told_at)))

    def _drawing(self, progress: Progress) -> str:
        """One piece of text, so that no half of it is ever seen."""
        width, height = size_of(self._out) or (80, 24)
        # Not the last column: there, terminals differ on where the cursor is.
        canvas = Canvas(
            width=width - 1,
            height=height,
            colour=has_colour(self._out),
            blocks=has_blocks(self._out),
        )
        rows = [row + _END_OF_LINE for row in lines(progress, self._best, canvas)]
        back = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
        return "\r" + "\r\n".join(rows) + _REST + back + "\r"

    def _say(self, sentence: str) -> None:
        """A line that stays, where the view stood."""
        self._write(f"{fit(clean(sentence), self._out)}\n")

    def _make_room(self) -> None:
        """Take the view away, so that another line can be written where it stood; soon it is drawn below that."""
        with self._lock:
            self._drawn_at = None
            if self._stands:
                self._stands = False
                self._write(WIPE)

    def _write(self, text: str) -> None:
        with self._lock, contextlib.suppress(OSError):  # the study goes on when nobody sees it any more
            self._out.write(text)
            self._out.flush()


@contextmanager
def drawn_on(view: DrawnView) -> Iterator[None]:
    """Have a view drawn on while nothing is shown to it: who follows events may hear nothing for minutes.

    So what came too soon to be drawn at once is drawn a moment later, the time goes on, and a window that has
    changed gets a view of its size.
    """
    over = threading.Event()

    def draw_on() -> None:
        while not over.wait(DRAW_S):
            view.draw()

    hand = threading.Thread(target=draw_on, name="live view", daemon=True)
    hand.start()
    try:
        yield
    finally:
        over.set()
        hand.join()


def _later(progress: Progress, seconds: float) -> Progress:
    """It so many seconds later, when nothing is known to have happened but that they are over."""
    if progress.state is not StudyState.RUNNING:
        return progress
    left = progress.seconds_left
    return replace(
        progress,
        seconds=progress.seconds + seconds,
        seconds_left=None if left is None else max(0.0, left - seconds),
    )
