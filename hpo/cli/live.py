"""The view of a running study: a live bar on a terminal, plain lines where there is none."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from hpo.cli.output import clean
from hpo.states import TrialState

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from hpo.progress import Progress

QUIET_S = 10.0  # a plain line at least so often, while something happens
DUMB = ("dumb", "unknown")  # terminals on which no line can be drawn twice

# Widths of a terminal from which on more of the bar's columns have room.
ROOMY, WIDE = 72, 110


class View(Protocol):
    """Shows a study's progress as it comes."""

    def show(self, progress: Progress) -> None:
        """The study as it is now."""


@contextmanager
def open_view(*, quiet: bool = False) -> Iterator[View]:
    """The view that suits standard error, for the length of a run."""
    if quiet:
        yield SilentView()
    elif sys.stderr.isatty() and os.environ.get("TERM", "") not in DUMB:
        with BarView() as view:
            yield view
    else:
        yield PlainView(sys.stderr)


def duration(seconds: float | None) -> str:
    """A time as people say it.

    >>> duration(3.21), duration(75), duration(7322), duration(None)
    ('3.2 s', '1 min 15 s', '2 h 2 min', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def best_text(progress: Progress) -> str:
    """The best value so far, in words."""
    if progress.best_value is None:
        return f"no {progress.metric} yet"
    return f"best {progress.metric} {progress.best_value:.5g} (trial {progress.best_number})"


def rate_text(progress: Progress) -> str:
    """How fast trials end; nothing while none has."""
    return f"{progress.trials_per_s:.1f} trials/s" if progress.trials_per_s > 0 else ""


def left_text(progress: Progress) -> str:
    """The time left; nothing while nobody can know it."""
    if progress.seconds_left is None or progress.n_finished >= progress.n_trials:
        return ""
    return f"{duration(progress.seconds_left)} left"


def line(progress: Progress) -> str:
    """The study in one plain line."""
    failed = progress.counts.get(TrialState.FAIL, 0)
    parts = [
        f"{progress.n_finished}/{progress.n_trials} trials",
        best_text(progress),
        rate_text(progress),
        left_text(progress),
        f"{failed} failed" if failed else "",
    ]
    return f"{progress.study}: {', '.join(part for part in parts if part)}"


def columns(progress: Progress, width: int) -> dict[str, str]:
    """What stands beside the bar on a terminal of that many characters; the narrower, the less.

    The best value is the last to go, since it is what people look for.
    """
    name, best = progress.study, best_text(progress)
    if len(name) > width // 4:
        name = f"{name[: width // 4 - 1]}…"
    if width < WIDE:
        best = best.split(" (")[0]
    if width < ROOMY and progress.best_value is not None:
        best = f"best {progress.best_value:.4g}"
    elapsed = f"{duration(progress.seconds)} so far"
    return {
        "name": name,
        "rate": rate_text(progress) if width >= WIDE else "",
        "left": (left_text(progress) or elapsed) if width >= ROOMY else "",
        "best": best if width >= ROOMY or progress.best_value is not None else "",
    }


class SilentView:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Nothing."""


class PlainView:
    """A line for each tenth of the trials, or every ten seconds in which something happened."""

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


class BarView:
    """A bar with the best value, trials done, trials/s and the time left; rich draws it."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._message: str | None = None

    def __enter__(self) -> BarView:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.fields[name]}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("[bold]{task.fields[best]}"),
            console=Console(stderr=True),
            refresh_per_second=8,
            transient=True,
        )
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Move the bar."""
        bar = self._bar
        if bar is None:
            return
        fields: dict[str, Any] = columns(progress, bar.console.width)
        if self._task is None:
            self._task = bar.add_task("", total=progress.n_trials, **fields)
        bar.update(self._task, completed=progress.n_finished, total=progress.n_trials, **fields)
        if progress.message is not None and progress.message != self._message:
            bar.console.print(clean(progress.message), markup=False)
        self._message = progress.message
