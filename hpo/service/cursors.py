"""Cursors: where the next page of a list begins, in a form that nobody needs to read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from hpo.errors import BadRequest, SpecError
from hpo.service.plain_text import read_plain

MAX_CURSOR = 2_000  # characters
MAX_ID = 2**31 - 1  # databases count rows no further

Keys = Sequence[str | int | float | bool | None]


def cursor_of(question: str, keys: Keys) -> str:
    """A cursor: of which question it continues the answer, and behind which entry.

    >>> cursor_of("studies", [7])
    'WyJzdHVkaWVzIiw3XQ'
    """
    text = json.dumps([question, *keys], separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def keys_of(cursor: str, question: str, kinds: Sequence[tuple[type, ...]]) -> list[Any]:
    """What a cursor of that question says, a value of each of the kinds. Raises BadRequest for anything else.

    >>> keys_of("WyJzdHVkaWVzIiw3XQ", "studies", [(int,)])
    [7]
    """
    said = _decoded(cursor)
    if not isinstance(said, list) or not said or not isinstance(said[0], str):
        raise _broken()
    asked, *keys = said
    if asked != question:
        raise BadRequest("belongs to another question; begin again without it", field="cursor")
    if len(keys) != len(kinds) or not all(map(_fits, keys, kinds)):
        raise _broken()
    return keys


def _fits(key: Any, kind: tuple[type, ...]) -> bool:
    """Whether a key is of its kind; a whole number and nothing else is a number of a row."""
    return type(key) in kind and (kind != (int,) or 0 <= key <= MAX_ID)


def _decoded(cursor: str) -> Any:
    if len(cursor) > MAX_CURSOR:
        raise _broken()
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return read_plain(text)
    except (binascii.Error, ValueError, SpecError):
        raise _broken() from None


def _broken() -> BadRequest:
    return BadRequest("is none that this server has given; begin again without it", field="cursor")
