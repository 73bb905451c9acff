"""The secret of a Ray: without one, anyone who reaches it could run commands on its machines."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that was found. place: the file, or the variable that holds it; file: None for the latter"""

    text: str = field(repr=False)
    place: str
    file: Path | None = None


def token_file(home: Path) -> Path:
    """The file of the token in HPO_HOME, mode 0600; made when it is not there. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True)
    file = own_file(home)
    if not file.exists():
        # Written aside and linked: of two processes that begin at once both end with the same token.
        aside = home / f".ray_token.{os.getpid()}"
        fd = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(aside, file)
        aside.unlink()
    file.chmod(0o600)
    return file


def own_file(home: Path) -> Path:
    """Where the token of a Ray of our own is, or would be."""
    return home / "ray_token"


def find_token(environ: Mapping[str, str], home: Path) -> Token | None:
    """The token that Ray would show, in Ray's own order, then that of HPO_HOME; None where there is none.

    Raises OSError when a file is there and cannot be read, or RAY_AUTH_TOKEN_PATH names one that is not.
    """
    if environ.get(TOKEN):
        return Token(text=environ[TOKEN].strip(), place=TOKEN)
    if environ.get(TOKEN_PATH):
        return _read(Path(environ[TOKEN_PATH]))
    for file in (usual_file(environ), own_file(home)):
        with contextlib.suppress(FileNotFoundError):
            return _read(file)
    return None


def usual_file(environ: Mapping[str, str]) -> Path:
    """Where Ray keeps a token unless it is told otherwise."""
    return Path(environ.get("HOME") or Path.home()) / ".ray" / "auth_token"


def _read(file: Path) -> Token:
    return Token(text=file.read_text(errors="replace").strip(), place=str(file), file=file)
