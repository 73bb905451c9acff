"""A study that is asked for, before anybody has looked at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person submits.

    tree: a study file, read and written out but not checked; folder: where a relative path of it begins
    stem: what it is called, with a counter, when it has no name; None: after its data
    key: of this request; the same key again does not make a second study
    """

    tree: Mapping[str, Any]
    folder: Path
    stem: str | None = None
    key: str | None = None
