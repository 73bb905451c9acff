"""What a person submits: a mapping, the text of a study file, or its path; and the data file that it names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.asked import Asked
from hpo.errors import DataError, SpecError
from hpo.service.shorthand import read_tree, written_out

CHUNK = 1 << 20
UPLOADED = "ds_"  # ids of uploaded data begin so, then come digits of the SHA-256
DIGITS = 16
STEM = 57  # characters; leaves room in a name of 64 for a counter

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_PATH = re.compile(r"[./\\~]")  # a source without any of these is a name


def asked_of(
    study: Mapping[str, Any] | str | Path, changes: Mapping[str, Any], *, key: str | None = None
) -> Asked:
    """A study that is asked for, with dotted changes merged in. Raises SpecError.

    study: a mapping like a study file; its text, of several lines or in {…}; else a path
    """
    if isinstance(study, Mapping):
        return Asked(tree=written_out(dict(study), changes), folder=Path.cwd(), key=key)
    if isinstance(study, str) and ("\n" in study or study.lstrip().startswith("{")):
        return Asked(tree=read_tree(study, changes), folder=Path.cwd(), key=key)
    path = Path(study)
    tree = read_tree(_text(path), changes)
    return Asked(tree=tree, folder=path.absolute().parent, stem=_stem(path), key=key)


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SpecError(f"no study file is called {str(path)!r}") from None
    except OSError as error:
        raise SpecError(f"the study file {str(path)!r} cannot be read: {error.strerror}") from None


def _stem(path: Path) -> str:
    return _UNFIT.sub("-", path.stem).strip("-._")[:STEM] or "study"


def local_file(asked: Asked) -> Path | None:
    """The file of this machine that a study names as its data; None for built-in and uploaded data.

    Raises DataError for a file that is not there, or a folder.
    """
    data = asked.tree.get("data")
    source = data.get("source") if isinstance(data, Mapping) else None
    if not isinstance(source, str) or not _PATH.search(source):
        return None
    path = asked.folder / Path(source).expanduser()
    if path.is_dir():
        raise DataError(
            f"{source!r} is a folder, and a server takes files: make one .npz of it", field="data.source"
        )
    if not path.is_file():
        raise DataError(f"no file is called {str(path)!r}", field="data.source")
    return path


def key_of(path: Path) -> str:
    """The id under which a file's bytes are kept. Raises DataError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(
            f"the file {str(path)!r} cannot be read: {error.strerror}", field="data.source"
        ) from None
    return f"{UPLOADED}{digest.hexdigest()[:DIGITS]}"
