"""Where the program begins: Ctrl-C ends it quietly from the first moment on, also while its modules load."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130


def main() -> int:
    """Load the program and run one verb; the exit code."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where whoever starts us, nohup for one, has it ignored
        # Not by an exception: what is being imported might catch it, or be left half made.
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))
    from hpo.cli.main import main as program

    signal.signal(signal.SIGINT, before)
    return program()
