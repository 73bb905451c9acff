"""One line of a checkup: what was looked at, what is there, and the cure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: found says what is there, cure what to do when it is not ok."""

    name: str
    ok: bool
    found: str
    cure: str | None = None
