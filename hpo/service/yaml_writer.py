"""Write plain JSON types as the YAML a person would write: short mappings and lists on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hpo.errors import SpecError
from hpo.service.plain_text import plain_scalar

_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+-]+)*")


def write_yaml(tree: Mapping[str, Any]) -> str:
    """The YAML of a mapping; `plain_text.read_plain` reads the same mapping back.

    >>> print(write_yaml({"seed": 0, "parameters": {"dropout": {"low": 0.0, "high": 0.5}}}), end="")
    seed: 0
    parameters:
      dropout: {low: 0.0, high: 0.5}
    """
    return "".join(_lines(tree, "")) or "{}\n"


def _lines(tree: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in tree.items():
        if isinstance(value, Mapping) and _is_long(value):
            lines.append(f"{indent}{_text(key)}:\n")
            lines.extend(_lines(value, indent + "  "))
        else:
            lines.append(f"{indent}{_text(key)}: {_flow(value)}\n")
    return lines


def _is_long(tree: Mapping[str, Any]) -> bool:
    """Whether a mapping deserves lines of its own: it holds mappings, or would make a long line."""
    nested = any(isinstance(value, Mapping) and key != "when" for key, value in tree.items())
    return bool(tree) and (nested or len(_flow(tree)) > 100)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    """Text without quotes where it cannot be taken for anything else, in JSON's quotes otherwise."""
    if _WORD.fullmatch(text) and _means_itself(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _means_itself(text: str) -> bool:
    try:
        return plain_scalar(text) == text
    except SpecError:
        return False


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
