"""The view of a running study: drawn in place on a terminal, plain lines where there is none."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from hpo.cli.cells import clean
from hpo.cli.pace import line
from hpo.cli.terminal import can_draw, size_of

if TYPE_CHECKING:
    from hpo.progress import Progress

QUIET_S = 10.0  # a plain line at least so often, while something happens


class View(Protocol):
    """Shows a study's progress as it comes. wipe: what to write before a line of somebody else's"""

    wipe: str

    def show(self, progress: Progress) -> None:
        """The study as it is now."""


@contextmanager
def open_view(*, quiet: bool = False) -> Iterator[View]:
    """The view that suits standard error, for the length of a run."""
    if quiet:
        yield SilentView()
    elif can_draw(sys.stderr) and size_of(sys.stderr) is not None:
        from hpo.cli.drawing import DrawnView, drawn_on

        with DrawnView(sys.stderr) as view, drawn_on(view):
            yield view
    else:
        yield PlainView(sys.stderr)


class SilentView:
    """Shows nothing."""

    wipe = "\n"

    def show(self, progress: Progress) -> None:
        """Nothing."""


class PlainView:
    """A line for each tenth of the trials, or every ten seconds in which something happened."""

    wipe = "\n"

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._tenth = -1
        self._n_finished = -1
        self._shown_at = 0.0
        self._message: str | None = None

    def show(self, progress: Progress) -> None:
        """A line, if it is time for one."""
        if progress.message is not None and progress.message != self._message:
            self._write(progress.message)
        self._message = progress.message
        if progress.n_finished == self._n_finished:
            return
        now, tenth = self._clock(), 10 * progress.n_finished // max(1, progress.n_trials)
        if tenth > self._tenth or now - self._shown_at >= QUIET_S:
            self._write(line(progress))
            self._tenth, self._shown_at, self._n_finished = tenth, now, progress.n_finished

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the study goes on when nobody reads any more
            print(clean(text), file=self._out, flush=True)
