"""Find the files of the web pages and the report: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

import functools
from pathlib import Path

import hpo


def folder() -> Path:
    """Where the files stand: `hpo/dashboards` of a wheel, else `dashboards` beside `hpo`."""
    package = Path(hpo.__file__).parent
    inside = package / "dashboards"
    return inside if inside.is_dir() else package.parent / "dashboards"


def text(name: str) -> str:
    """A file as it stands."""
    return (folder() / name).read_text(encoding="utf-8")


@functools.cache
def texts(part: str) -> dict[str, str]:
    """The files of a folder of it by name, as they stood when they were first asked for."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((folder() / part).iterdir())}
