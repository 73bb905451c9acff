"""The parent of a server's processes: starts them, starts those again that die, ends them all at the end."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hpo.server.part import LONGEST_PAUSE_S, Child, Part

log = logging.getLogger(__name__)

CANNOT_START = 3  # false starts, one after another: it will not mend by itself
GRACE_S = 13.0  # from being asked to end until being killed
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Keeps parts alive until a signal; one thread that sleeps unless something happens.

    ready: called once, when every part that is not started on demand has said that it is ready
    """

    def __init__(self, parts: Sequence[Part], *, ready: Callable[[], None], grace_s: float = GRACE_S) -> None:
        self._children = [Child(part) for part in parts]
        self._ready: Callable[[], None] | None = ready
        self._grace_s = grace_s
        self._selector = selectors.DefaultSelector()
        self._asked: list[int] = []  # the signals that asked us to end, in order

    def run(self) -> signal.Signals:
        """Supervise until a signal, end everything, and say which signal it was. A second one kills."""
        with self._signals():
            try:
                while not self._asked:
                    self._start_due()
                    self._wait(self._pause_s())
                    self._bury()
                self._end()
            finally:
                self._kill()
                self._selector.close()
        return signal.Signals(self._asked[0])

    # While it runs

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.lives:
                continue
            if child.due_at is not None and child.due_at <= now:
                if child.part.on_demand:
                    child.due_at = None  # it may be knocked for again; the pause is over
                else:
                    self._start(child)
            if child.part.on_demand and child.due_at is None:
                self._watch_knocking(child)

    def _start(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:  # no memory, no more processes: later perhaps
            log.error("%s could not be started: %s", child.part.name, error.strerror)
            child.due_at = time.monotonic() + 1.0
            return
        log.info("%s is process %d", child.part.name, child.process.pid if child.process else 0)
        if child.line is not None:
            self._selector.register(child.line, selectors.EVENT_READ, lambda: self._hear(child))

    def _watch_knocking(self, child: Child) -> None:
        listening = child.part.listening
        if listening is not None and listening.fileno() not in self._selector.get_map():
            self._selector.register(listening, selectors.EVENT_READ, lambda: self._knocked(child, listening))

    def _knocked(self, child: Child, listening: socket.socket) -> None:
        """Somebody has connected: from now on the process itself listens."""
        self._selector.unregister(listening)
        self._start(child)

    def _hear(self, child: Child) -> None:
        line = child.line
        became_ready = child.hear()
        if child.line is None and line is not None:
            self._forget(line)
        if became_ready:
            log.info("%s is ready", child.part.name)
        if self._ready is not None and all(c.ready for c in self._children if not c.part.on_demand):
            ready, self._ready = self._ready, None
            ready()

    def _bury(self) -> None:
        """Notice who has ended, and say so."""
        for child in self._children:
            line = child.line
            how = child.reap()
            if how is None:
                continue
            if line is not None:
                self._forget(line)
            if child.due_at is not None and not self._asked:
                when = "on the next visit" if child.part.on_demand else f"in {child.pause_s:.1f} s"
                log.warning("%s: %s; it is started again %s", child.part.name, how, when)
                if child.false_starts == CANNOT_START:
                    log.error(
                        "%s cannot start, and has said above why: it has ended %d times before it was ready. "
                        "It is tried again every %.0f s; the other parts go on meanwhile",
                        child.part.name,
                        CANNOT_START,
                        LONGEST_PAUSE_S,
                    )

    def _forget(self, line: socket.socket) -> None:
        """Stop watching a lifeline, which may have been closed already."""
        for key in list(self._selector.get_map().values()):
            if key.fileobj is line:
                self._selector.unregister(line)

    def _pause_s(self) -> float | None:
        due = [child.due_at for child in self._children if not child.lives and child.due_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _wait(self, timeout_s: float | None) -> None:
        for key, _ in self._selector.select(timeout_s):
            key.data()

    # The end

    def _end(self) -> None:
        """Ask all to end, and wait; whoever has not when the grace is over, or at a second signal, is killed."""
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        while any(child.lives for child in self._children) and len(self._asked) < 2:
            left = deadline - time.monotonic()
            if left <= 0:
                names = ", ".join(child.part.name for child in self._children if child.lives)
                log.warning("%s did not end within %.0f s", names, self._grace_s)
                return
            self._wait(left)
            self._bury()

    def _kill(self) -> None:
        for child in self._children:
            child.signal(signal.SIGKILL)
        for child in self._children:
            if child.process is not None:
                child.process.wait()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Have signals wake the selector, for the length of a run."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        kept = signal.set_wakeup_fd(writing)
        before = {number: signal.signal(number, _noted) for number in (*_heeded(), signal.SIGCHLD)}
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._take_signals(reading))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(kept)
            os.close(reading)
            os.close(writing)

    def _take_signals(self, reading: int) -> None:
        self._asked += [number for number in os.read(reading, 256) if number in _ENDING]


def _noted(_number: int, _frame: object) -> None:
    """The number is in the pipe that `set_wakeup_fd` names; nothing else is to be done in a handler."""


def _heeded() -> list[signal.Signals]:
    """The signals that end a server: not those which whoever started it, nohup for one, has it ignore."""
    return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
