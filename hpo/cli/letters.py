"""How many columns of a terminal a text takes, and texts cut, padded and broken into lines by that."""

from __future__ import annotations

import re
import unicodedata

_ON_TOP = ("Mn", "Me", "Cf")  # accents and marks stand on the letter before them
_WIDE = "WF"  # Han, kana, Hangul and most emoji take two columns


def columns_of(text: str) -> int:
    """How many columns it takes.

    >>> columns_of("digits"), columns_of("手書き"), columns_of("e\\u0301"), columns_of("🎯")
    (6, 6, 1, 2)
    """
    return len(text) if text.isascii() else sum(map(_of, text))


def _of(letter: str) -> int:
    if unicodedata.category(letter) in _ON_TOP:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in _WIDE else 1


def cut(text: str, width: int) -> str:
    """Its longest beginning that has room in so many columns.

    >>> cut("digits", 3), cut("手書き", 3), cut("e\\u0301e", 1) == "e\\u0301"
    ('dig', '手', True)
    """
    if text.isascii():
        return text[: max(0, width)]
    taken = 0
    for i, letter in enumerate(text):
        taken += _of(letter)
        if taken > width:
            return text[:i]
    return text


def padded(text: str, width: int, *, to_right: bool = False) -> str:
    """It with spaces up to so many columns.

    >>> padded("手", 4) + "|", padded("手", 4, to_right=True)
    ('手  |', '  手')
    """
    spaces = " " * (width - columns_of(text))
    return spaces + text if to_right else text + spaces


def broken(text: str, width: int, *, indent: str = "", cut_words: bool = False) -> list[str]:
    """It in lines of so many columns, broken between words; indent: of all lines but the first.

    cut_words: a word that has no room in a line of its own is cut, too
    >>> broken("best  0.9 of digits", 10, indent="  ")
    ['best  0.9', '  of', '  digits']
    >>> broken("手書き文字", 4, cut_words=True)
    ['手書', 'き文', '字']
    """
    lines: list[str] = []
    line = ""
    for spaces, word in re.findall(r"(\s*)(\S+)", text):
        if line.strip() and columns_of(line + spaces + word) > width:
            lines.append(line)
            line = indent + word
        else:
            line += spaces + word
        while cut_words and columns_of(line) > width:
            start = cut(line, width)
            if not start.strip():  # no room for a letter: it is written all the same
                start = line[: len(line) - len(line.lstrip()) + 1]
            if start == line:
                break
            lines.append(start)
            line = indent + line[len(start) :]
    return [*lines, line]
