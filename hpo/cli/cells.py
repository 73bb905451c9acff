"""How a value is written for people, without what could drive a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]


def clean(text: str) -> str:
    """Text without control characters: names in a data file must not drive the terminal.

    >>> clean("a\\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def cell(value: Any) -> str:
    """A value as people read it.

    >>> cell(None), cell(0.123456789), cell(True), cell("x"), cell({"a": 1, "b": 2})
    ('-', '0.12346', 'true', 'x', 'a 1, b 2')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(entry)}" for key, entry in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(cell(entry) for entry in value) or "-"
    return clean(str(value)).replace("\n", " ")


def is_number(value: Any) -> bool:
    """Whether a value is written to the right of its column."""
    return isinstance(value, int | float) and not isinstance(value, bool)
