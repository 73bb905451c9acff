"""Verbs at the end of an address, `studies/wine:pause`: one that there is not is told with those that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from starlette.routing import compile_path

from hpo.errors import suggest

_VERB = re.compile(r"(.*):([a-z]+)")
_SHOWN = 60  # letters of a verb that nobody has given

# What stands before a verb, and the verb.
Verb = tuple[re.Pattern[str], str]


def verbs_of(templates: Iterable[str]) -> list[Verb]:
    """The verbs of the addresses that have one."""
    found = filter(None, map(_VERB.fullmatch, templates))
    return [(compile_path(match[1])[0], match[2]) for match in found]


def unknown_verb(path: str, verbs: Sequence[Verb]) -> str | None:
    """What to say of an address whose verb is none of those that may stand there; None for any other.

    >>> unknown_verb("/studies/wine:stopp", verbs_of(["/studies/{name}:pause", "/studies/{name}:stop"]))
    "this address has no verb 'stopp'; it has pause, stop; did you mean 'stop'?"
    """
    before, mark, word = path.rpartition(":")
    known = [verb for pattern, verb in verbs if pattern.match(before)]
    if not mark or "/" in word or not known or word in known:
        return None
    shown = word[:_SHOWN]
    return f"this address has no verb {shown!r}; it has {', '.join(sorted(known))}{suggest(shown, known)}"
