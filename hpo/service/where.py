"""What users ask of trials: `where`, which conditions they meet, and `sort`, in which order they come."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from hpo.errors import SpecError, UnknownName, suggest
from hpo.service.plain_text import plain_scalar
from hpo.space import Choice, Fixed, SearchSpace, Value
from hpo.storage.base import Condition
from hpo.storage.ordering import NAMES, OPERATORS, PARAM, time_of

MAX_LENGTH = 4_000
MAX_CONDITIONS = 20
MAX_LISTED = 100
MAX_COUNT = 2**31 - 1  # of a column of whole numbers

_EXAMPLE = "write it as in `value >= 0.9 and params.optimizer in (adam, sgd)`"
_PIECE = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<op><=|>=|!=|==|=|<|>)|(?P<mark>[(),\[\]])|(?P<word>[^\s"'<>=!(),\[\]]+))"""
)
_VALUES = ("word", "quoted")
_ORDERED = ("<", "<=", ">", ">=")


class _Piece(NamedTuple):
    """A part of the text. kind: quoted, op, mark or word; at: where it begins, from 1."""

    kind: str
    text: str
    at: int


def parse_where(text: str, space: SearchSpace) -> tuple[Condition, ...]:
    """The conditions of `name op value and …`; values of a parameter are of its kind.

    op: = != < <= > >= in (then a list in brackets); name: number, value, finished_at, epochs, params.NAME
    Raises SpecError, UnknownName, with the place in the text.

    >>> parse_where("value >= 0.9 and epochs < 30", SearchSpace({}))
    (Condition(name='value', op='>=', value=0.9), Condition(name='epochs', op='<', value=30))
    """
    pieces = _pieces(text)
    if not pieces:
        raise _wrong(f"says nothing; {_EXAMPLE}")
    conditions: list[Condition] = []
    at = 0
    while True:
        condition, at = _condition(pieces, at, space)
        conditions.append(condition)
        if len(conditions) > MAX_CONDITIONS:
            raise _wrong(f"has at most {MAX_CONDITIONS} conditions")
        if at == len(pieces):
            return tuple(conditions)
        if pieces[at].text.lower() != "and" or pieces[at].kind != "word":
            raise _wrong(f"conditions are joined by `and`, got {pieces[at].text!r} {_place(pieces[at])}")
        at += 1


def check_sort(sort: str, space: SearchSpace) -> str:
    """An order that there is: a name of `where`, with `-` the largest first. Raises UnknownName.

    >>> check_sort("-value", SearchSpace({}))
    '-value'
    """
    _check_name(sort.removeprefix("-"), space, "sort")
    return sort


def _pieces(text: str) -> list[_Piece]:
    if len(text) > MAX_LENGTH:
        raise _wrong(f"has at most {MAX_LENGTH:,} characters")
    found: list[_Piece] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _PIECE.match(text, at)
        if match is None:
            rest = text[at:].lstrip()[:20]
            raise _wrong(f"cannot be read from {rest!r} on; {_EXAMPLE}")
        kind = match.lastgroup or ""
        found.append(_Piece(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return found


def _condition(pieces: Sequence[_Piece], at: int, space: SearchSpace) -> tuple[Condition, int]:
    """The condition that begins at a piece, and the piece behind it."""
    name = _take(pieces, at, "word", "a name")
    _check_name(name.text, space, "where", name)
    op = _take(pieces, at + 1, None, f"one of {' '.join(OPERATORS)}")
    word = "=" if op.text == "==" else op.text.lower()
    if word not in OPERATORS or op.kind == "quoted":
        raise _wrong(
            f"{name.text} must be followed by one of {' '.join(OPERATORS)}, got {op.text!r} {_place(op)}"
        )
    if word == "in":
        listed, after = _list(pieces, at + 2)
        values = tuple(_value(name.text, word, piece, space) for piece in listed)
        return Condition(name=name.text, op=word, value=values), after
    value = _take(pieces, at + 2, None, "a value")
    return Condition(name=name.text, op=word, value=_value(name.text, word, value, space)), at + 3


def _take(pieces: Sequence[_Piece], at: int, kind: str | None, what: str) -> _Piece:
    if at >= len(pieces):
        raise _wrong(f"ends where {what} should stand; {_EXAMPLE}")
    if kind is not None and pieces[at].kind != kind:
        raise _wrong(f"{what} should stand {_place(pieces[at])}, got {pieces[at].text!r}")
    return pieces[at]


def _list(pieces: Sequence[_Piece], at: int) -> tuple[list[_Piece], int]:
    """The values in brackets from a piece on, and the piece behind them."""
    opened = _take(pieces, at, "mark", "( and a list of values")
    closing = {"(": ")", "[": "]"}.get(opened.text)
    if closing is None:
        raise _wrong(f"( and a list of values should stand {_place(opened)}, got {opened.text!r}")
    listed: list[_Piece] = []
    while True:
        value = _take(pieces, at + 1, None, "a value")
        if value.kind not in _VALUES:
            raise _wrong(f"a value should stand {_place(value)}, got {value.text!r}")
        listed.append(value)
        mark = _take(pieces, at + 2, "mark", f"a comma or {closing}")
        at += 2
        if len(listed) > MAX_LISTED:
            raise _wrong(f"a list has at most {MAX_LISTED} values")
        if mark.text == closing:
            return listed, at + 1
        if mark.text != ",":
            raise _wrong(f"a comma or {closing} should stand {_place(mark)}, got {mark.text!r}")


def _check_name(name: str, space: SearchSpace, field: str, piece: _Piece | None = None) -> None:
    known = [*NAMES, *(f"{PARAM}{one}" for one in space.searched)]
    if name in known:
        return
    where = f" {_place(piece)}" if piece else ""
    if name.removeprefix(PARAM) in space.fixed:
        raise UnknownName(f"{name} is the same in every trial{where}", field=field)
    if f"{PARAM}{name}" in known:
        raise UnknownName(f"there is no {name!r}{where}; did you mean '{PARAM}{name}'?", field=field)
    hint = suggest(name, known) or f"; there are {', '.join(known[:20])}"
    raise UnknownName(f"there is no {name[:80]!r}{where}{hint}", field=field)


def _value(name: str, op: str, piece: _Piece, space: SearchSpace) -> Value:
    """A value as what it is compared with has it. Raises SpecError."""
    if piece.kind not in _VALUES:
        raise _wrong(f"a value should stand {_place(piece)}, got {piece.text!r}")
    if name.startswith(PARAM):
        parameter = space.parameters[name.removeprefix(PARAM)]
        if isinstance(parameter, Choice):
            return _choice(name, op, piece, parameter)
        assert not isinstance(parameter, Fixed)
        return _number(name, piece, whole=False)
    if name == "finished_at":
        return _time(name, piece)
    return _number(name, piece, whole=name != "value")


def _number(name: str, piece: _Piece, *, whole: bool) -> int | float:
    try:
        value = plain_scalar(piece.text) if piece.kind == "word" else None
    except SpecError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(f"{name} is a number, got {piece.text[:80]!r} {_place(piece)}")
    if whole and (not float(value).is_integer() or abs(value) > MAX_COUNT):
        raise _wrong(f"{name} is a whole number up to {MAX_COUNT:,}, got {piece.text[:80]!r} {_place(piece)}")
    return int(value) if whole else value


def _time(name: str, piece: _Piece) -> str:
    text = piece.text.strip("\"'")
    try:
        time_of(text)
    except SpecError as error:
        raise _wrong(f"{name} {error.detail} {_place(piece)}") from None
    return text


def _choice(name: str, op: str, piece: _Piece, parameter: Choice) -> Value:
    """The choice that a word names. Raises SpecError, UnknownName."""
    choices = list(parameter.choices)
    if op in _ORDERED and not all(_is_number(choice) for choice in choices):
        raise _wrong(f"{name} is no number: it is compared by =, != or in, got {op!r}")
    if op in _ORDERED:
        return _number(name, piece, whole=False)
    text = piece.text[1:-1] if piece.kind == "quoted" else piece.text
    meant: list[Value] = [text]
    if piece.kind == "word":
        with suppress(SpecError):
            meant.insert(0, plain_scalar(text))
    for value in meant:
        for choice in choices:
            same = type(choice) is type(value) or (_is_number(choice) and _is_number(value))
            if same and choice == value:
                return choice
    known = [str(choice) for choice in choices]
    hint = suggest(text, known) or f"; it is one of {', '.join(known[:20])}"
    raise UnknownName(f"{name} is never {text[:80]!r} {_place(piece)}{hint}", field="where")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _place(piece: _Piece) -> str:
    return f"at character {piece.at}"


def _wrong(sentence: str) -> SpecError:
    return SpecError(sentence, field="where")
