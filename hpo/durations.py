"""Lengths of time as people write them: 90, "10m", "1h30m"."""

from __future__ import annotations

import math
import re

from hpo.errors import SpecError

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_WORDS = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds_of(duration: str | float) -> float:
    """The seconds of a number of them, or of days, hours, minutes and seconds in that order. Raises SpecError.

    >>> seconds_of(90), seconds_of("10m"), seconds_of("1h30m"), seconds_of("1.5 h")
    (90.0, 600.0, 5400.0, 5400.0)
    """
    text = str(duration).replace(" ", "")
    found = _WORDS.fullmatch(text)
    if found is not None and any(found.groups()):
        parts = zip(found.groups(), _SECONDS.values(), strict=True)
        seconds = sum(float(n) * unit for n, unit in parts if n is not None)
    else:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
    if not 0 < seconds < math.inf:
        raise SpecError(f"must be a time like 10m, 1h30m or a number of seconds above 0, got {duration!r}")
    return seconds
