"""Find the files of the web pages and the report: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

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
