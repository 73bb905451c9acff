"""Read YAML 1.2 or JSON into plain JSON types: no anchors, no tags, no dates, no infinities, nothing twice."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hpo.errors import SpecError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_INT = 2**63 - 1

# What YAML 1.2's core schema takes for something else than text.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

# What the parser says, and what a person can do about it.
_CURES = (
    ("found character '\\t'", "a tab; indent with spaces"),
    ("found character '%'", "text cannot begin with % here; put it in quotes"),
    ("found character '@'", "text cannot begin with @ here; put it in quotes"),
    ("found character '`'", "text cannot begin with ` here; put it in quotes"),
    (
        "mapping values are not allowed",
        "a colon is out of place; put one `key: value` on a line, with a space after the colon, indented like its neighbours",
    ),
    ("but got '<stream end>'", "the text ends inside { or [; close it"),
    ("but found '<stream end>'", "the text ends inside { or [; close it"),
)

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")

# ruamel.yaml lets these out of its scanner for some broken texts (such as "\UFFFFFFFF").
_PARSER_ERRORS = (
    YAMLError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)


def read_plain(text: str | bytes) -> Any:
    """The tree of dicts, lists, text, numbers, booleans and None that a text holds; None for an empty one.

    JSON is tried first on a text that begins like it. Raises SpecError with line and column.

    >>> read_plain("a: 1e-4")
    {'a': 0.0001}
    """
    text = _decode(text)
    tree = _read_json(text) if text.lstrip()[:1] in ("{", "[") else _NO_JSON
    if tree is _NO_JSON:
        tree = _read_yaml(text)
    check_plain(tree)
    return tree


def check_plain(tree: Any, path: str = "", depth: int = 0) -> None:
    """Raises SpecError, with its place, unless a tree has plain JSON types only and is not too deep."""
    if depth >= MAX_DEPTH and isinstance(tree, dict | list):
        raise SpecError(f"nested deeper than {MAX_DEPTH} levels", field=path.split(".")[0] or None)
    if isinstance(tree, dict):
        for key, value in tree.items():
            if not isinstance(key, str):
                raise SpecError(f"keys must be text, got {key!r}; put it in quotes", field=path or None)
            _check_text(key, path)
            check_plain(value, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            check_plain(value, f"{path}.{place}" if path else str(place), depth + 1)
    else:
        _check_scalar(tree, path)


def _check_scalar(value: Any, path: str) -> None:
    if isinstance(value, str):
        _check_text(value, path)
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, int):
        if abs(value) > MAX_INT:
            raise SpecError("the number is too large", field=path or None)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise SpecError(f"must be a finite number, got {value}", field=path or None)
    else:
        raise SpecError(f"must be plain text or a number, got {type(value).__name__}", field=path or None)


def _check_text(text: str, path: str) -> None:
    if _FORBIDDEN.search(text):
        raise SpecError(
            "holds a character that no text may hold (NUL or half a surrogate pair)", field=path or None
        )


def _decode(text: str | bytes) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        raise SpecError(f"a study file has at most {MAX_BYTES:,} bytes, this one {size:,}")
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"not UTF-8 text: byte {error.start + 1} is wrong") from None


_NO_JSON = object()


def _read_json(text: str) -> Any:
    """The tree of a JSON text, _NO_JSON when it is none (it may still be YAML in braces)."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except json.JSONDecodeError:
        return _NO_JSON
    except RecursionError:
        raise SpecError(f"nested deeper than {MAX_DEPTH} levels") from None
    except SpecError:
        raise
    except ValueError:  # a whole number of more digits than Python reads
        raise SpecError("a number is too large") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(names) if key in names[:place])
        raise SpecError(f"the key {twice!r} stands twice in one mapping; drop one")
    return tree


def _refuse_constant(name: str) -> Any:
    raise SpecError(f"numbers must be finite, got {name}")


def _read_yaml(text: str) -> Any:
    try:
        return _Builder(YAML(typ="safe", pure=True).parse(text)).document()
    except SpecError:
        raise
    except MarkedYAMLError as error:
        raise _at(error.problem_mark, _cured(str(error.problem or "not valid YAML"))) from None
    except _PARSER_ERRORS as error:
        reason = getattr(error, "reason", None) or str(error).split("\n")[0]
        raise SpecError(f"not valid YAML: {reason}") from None


def _cured(problem: str) -> str:
    """The parser's complaint as a sentence with a cure, where we know one."""
    return next((cure for sign, cure in _CURES if sign in problem), problem)


def _at(mark: Any, sentence: str) -> SpecError:
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return SpecError(where + sentence.replace("\x00", "the end"))


class _Builder:
    """Makes the tree from the parser's events; whatever is more than JSON can say is refused where it stands."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events

    def document(self) -> Any:
        """The one document of the stream."""
        tree: Any = None
        n_documents = 0
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    raise _at(event.start_mark, "one document only; drop everything from the second --- on")
                tree = self._node(next(self._events), 0)
        return tree

    def _node(self, event: Any, depth: int) -> Any:
        if isinstance(event, ev.AliasEvent):
            raise _at(event.start_mark, f"aliases (*{event.anchor}) are not allowed; write the value out")
        if getattr(event, "anchor", None) is not None:
            raise _at(event.start_mark, f"anchors (&{event.anchor}) are not allowed; write the value out")
        if getattr(event, "tag", None) is not None:
            raise _at(event.start_mark, f"tags ({event.tag}) are not allowed; leave it out")
        if isinstance(event, ev.ScalarEvent):
            return self._scalar(event)
        if depth >= MAX_DEPTH:
            raise _at(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, ev.MappingStartEvent):
            return self._mapping(depth)
        return self._list(depth)

    def _list(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), ev.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        while not isinstance(event := next(self._events), ev.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, str):
                raise _at(event.start_mark, f"keys must be text, got {key!r}; put it in quotes")
            if key in tree:
                raise _at(event.start_mark, f"the key {key!r} stands twice in one mapping; drop one")
            tree[key] = self._node(next(self._events), depth + 1)
        return tree

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:  # in quotes, or a block of text
            return _joined(event.value)
        try:
            return plain_scalar(event.value)
        except SpecError as error:
            raise _at(event.start_mark, error.detail) from None


def _joined(text: str) -> str:
    """Text with pairs of surrogates, which JSON writes beyond U+FFFF, as one character each."""
    if not _FORBIDDEN.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def plain_scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted word of YAML 1.2 means. Raises SpecError for infinities and NaN.

    >>> plain_scalar("1e-4"), plain_scalar("0x10"), plain_scalar("yes"), plain_scalar("2026-01-01")
    (0.0001, 16, 'yes', '2026-01-01')
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _NOT_FINITE.fullmatch(text):
        raise SpecError(f"must be a finite number, got {text}")
    if _INT.fullmatch(text):
        if len(text) > 30:
            raise SpecError("the number is too large")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
