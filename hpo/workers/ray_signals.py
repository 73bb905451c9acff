"""Keep SIGTERM as it was while Ray starts: Ray takes it for itself, in Python and below."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator

_SIGACTION_BYTES = 512  # a struct sigaction has 152 on Linux and less elsewhere; it is only kept and put back


@contextlib.contextmanager
def sigterm_kept() -> Iterator[None]:
    """Whoever had SIGTERM has it afterwards, in whichever thread this is.

    Only the main thread may set Python's handlers, and there Ray sets one. From any thread Ray puts a handler into
    the process itself that writes a stack trace to standard error before it lets the signal through.
    """
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if in_main else None
    sigaction = ctypes.CDLL(None).sigaction
    before = ctypes.create_string_buffer(_SIGACTION_BYTES)
    known = sigaction(int(signal.SIGTERM), None, before) == 0
    try:
        yield
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, handler if handler is not None else signal.SIG_DFL)
        if known:
            sigaction(int(signal.SIGTERM), before, None)
