"""Find the named search spaces and example studies: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import hpo
from hpo.errors import SpecError, UnknownName, suggest
from hpo.service.plain_text import read_plain

_KEYS = ("description", "parameters")


def folder() -> Path:
    """Where the files stand: `hpo/search_spaces` of a wheel, else `search_spaces` beside `hpo`."""
    package = Path(hpo.__file__).parent
    inside = package / "search_spaces"
    return inside if inside.is_dir() else package.parent / "search_spaces"


def names() -> list[str]:
    """The names of all search spaces, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def text(name: str) -> str:
    """The file of that name as it stands. Raises UnknownName."""
    known = names()
    if name not in known:
        hint = suggest(name, known) or "; `hpo spaces` lists them"
        raise UnknownName(f"no search space is called {name!r}{hint}")
    return (folder() / f"{name}.yaml").read_text(encoding="utf-8")


def read(name: str) -> tuple[str, dict[str, Any]]:
    """Description and parameters, as plain JSON types. Raises UnknownName, SpecError for a broken file."""
    description, parameters = _read(name, text(name))
    return description, copy.deepcopy(parameters)


@functools.lru_cache(maxsize=64)  # to read one takes longer than all else that submitting a study does
def _read(name: str, said: str) -> tuple[str, dict[str, Any]]:
    tree = read_plain(said)
    if not isinstance(tree, dict) or set(tree) - set(_KEYS) or not isinstance(tree.get("parameters"), dict):
        raise SpecError(f"the search space {name!r} must hold a description and parameters, nothing else")
    return str(tree.get("description", "")).strip(), tree["parameters"]


def examples() -> list[Path]:
    """The complete study files that ship with hpo, by name."""
    return sorted((folder() / "studies").glob("*.yaml"))
