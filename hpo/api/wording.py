"""What pydantic says of a value, in our words: of a part of an address and of a body alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_MUST_BE = "must be "
_SHOWN = 40  # letters of a value that was given

# By the kind of an error; what stands in braces is its context, or the value as it was given.
_SENTENCES = {
    "missing": "is needed",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number, got {given!r}",
    "int_parsing_size": "the number is too large",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be >= {ge:,}, got {given}",
    "less_than_equal": "must be <= {le:,}, got {given}",
    "string_type": "must be text",
    "string_pattern_mismatch": "holds a character that no text may hold (NUL)",
    "string_too_long": "must have at most {max_length:,} characters",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}, got {given!r}",
    "enum": "must be {expected}, got {given!r}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_long": "must have at most {max_length:,} entries, got {actual_length:,}",
    "too_short": "must not be empty",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def sentence_of(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence.

    >>> sentence_of({"type": "greater_than_equal", "ctx": {"ge": 1}, "input": "0", "msg": "Input should be …"})
    'must be >= 1, got 0'
    """
    words = _SENTENCES.get(error["type"])
    if words is None:
        return f"{error['msg'][:1].lower()}{error['msg'][1:]}"
    return words.format(given=_shown(error.get("input")), **error.get("ctx", {}))


def sentence_of_all(errors: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong at one place, where a value may be of several kinds and is of none.

    >>> sentence_of_all({"type": kind} for kind in ("bool_type", "float_type", "string_type"))
    'must be true or false, a number or text'
    """
    sentences = list(dict.fromkeys(map(sentence_of, errors)))
    kinds = [sentence.removeprefix(_MUST_BE) for sentence in sentences if sentence.startswith(_MUST_BE)]
    if len(sentences) == 1 or len(kinds) < len(sentences):
        return sentences[0]
    return f"{_MUST_BE}{', '.join(kinds[:-1])} or {kinds[-1]}"


def _shown(given: object) -> str:
    """A value as it was given, cut where it is long."""
    text = str(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
