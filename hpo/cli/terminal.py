"""What a stream's terminal can do: its size, colours, characters, and whether a line can be drawn twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

from hpo.states import StudyState, TrialState

DUMB = ("dumb", "unknown")  # terminals on which no line can be drawn twice

# SGR codes by what is meant.
STYLES: dict[str, str] = {
    "plain": "",
    "strong": "1",
    "faint": "2",
    "good": "32",
    "judged": "33",
    "bad": "31",
    "busy": "36",
}

# The style of a study's or a trial's state, wherever one stands.
STATE_STYLES: dict[str, str] = {
    **dict.fromkeys((TrialState.COMPLETE, StudyState.COMPLETED), "good"),
    **dict.fromkeys((TrialState.PRUNED, StudyState.PAUSED, StudyState.STOPPING), "judged"),
    **dict.fromkeys((TrialState.FAIL, StudyState.FAILED), "bad"),
    **dict.fromkeys((TrialState.RUNNING, StudyState.RUNNING), "busy"),
    **dict.fromkeys((TrialState.WAITING, StudyState.QUEUED, StudyState.CANCELLED), "faint"),
}


def size_of(stream: TextIO) -> tuple[int, int] | None:
    """Characters of a line and lines of the terminal; None where there is no terminal, or one without a size."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (size.columns, size.lines) if size.columns and size.lines else None


def can_draw(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether lines can be drawn over one another: a terminal, and none that TERM calls dumb."""
    env = os.environ if environ is None else environ
    return stream.isatty() and env.get("TERM", "") not in DUMB


def is_in_front(stream: TextIO) -> bool:
    """Whether what is drawn disturbs nobody: `hpo run &` shares its terminal with a shell that is being typed to."""
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # not the terminal that this process was started from
        return True


def has_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether to write in colour: NO_COLOR forbids it, then FORCE_COLOR asks for it, else where one can draw.

    Set to nothing, either counts as not set (no-color.org, force-color.org).
    """
    env = os.environ if environ is None else environ
    if env.get("NO_COLOR"):
        return False
    return bool(env.get("FORCE_COLOR")) or can_draw(stream, env)


def has_blocks(stream: TextIO) -> bool:
    """Whether the stream's encoding has the characters that bars and sparklines are made of."""
    try:
        "▁█…".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def painted(text: str, style: str, *, colour: bool = True) -> str:
    """Text in one of STYLES.

    >>> painted("3 FAIL", "bad"), painted("3 FAIL", "bad", colour=False)
    ('\\x1b[31m3 FAIL\\x1b[0m', '3 FAIL')
    """
    code = STYLES[style]
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code and text else text
